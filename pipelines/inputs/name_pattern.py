"""Names that match a regular expression of the user, within a time limit.

Python's engine backtracks: `(a+)+$` takes hours on a name of 40 letters. It cannot be interrupted from within, so it
runs in a process of its own, which is killed when its time is over. Starting one takes about 20 ms.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence

TIME_LIMIT_S = 10.0
MAX_LETTERS = 10_000
_PROGRAM = """
import json, re, sys
pattern, names = json.load(sys.stdin)
match = re.compile(pattern).fullmatch
json.dump([number for number, name in enumerate(names) if match(name)], sys.stdout)
"""


def matching(pattern: str, names: Sequence[str]) -> set[str]:
    """The names that a regular expression matches as a whole.

    Raises:
        ValueError: not a regular expression, or it takes longer than `TIME_LIMIT_S`.
    """
    if len(pattern) > MAX_LETTERS:
        raise ValueError(f"is longer than {MAX_LETTERS:,} letters")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression ({error})") from error
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=json.dumps([pattern, list(names)]),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"takes more than {TIME_LIMIT_S:g} s, for it repeats a repetition, as (a+)+ does") from None
    except subprocess.CalledProcessError as error:
        raise ValueError(f"cannot be matched ({(error.stderr or '').strip().splitlines()[-1:]})") from error
    return {names[number] for number in json.loads(done.stdout)}
