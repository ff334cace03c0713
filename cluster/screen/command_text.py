"""The command line as a page says it: what decides its content, without where it is written and how much is shown."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from cluster.options.flags import normalized
from cluster.paths.output_paths import PathRole

_WRITTEN = {
    PathRole.WRITTEN_FILE,
    PathRole.WRITTEN_FOLDER,
    PathRole.WRITTEN_DATASET,
    PathRole.WRITTEN_BUNDLE,
}
_SHOWING = {"--verbose", "--debug", "--log-level"}


def of(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """The command line of a verb, fit for a shell.

    So a page is the same bytes wherever it is written. Credentials are masked where the text is shown.

    Args:
        parser: of the verb.
        arguments: the verb and what follows it.
    """
    left_out = {
        option: action.nargs
        for action in parser._actions
        for option in action.option_strings
        if action.type in _WRITTEN or option in _SHOWING
    }
    kept: list[str] = []
    values_to_skip: float = 0
    for argument in arguments:
        flag = normalized(argument).split("=", 1)[0]
        if flag.startswith("--"):
            values_to_skip = 0
            if flag in left_out:
                values_to_skip = _values(left_out[flag]) if "=" not in argument else 0
                continue
        elif values_to_skip:
            values_to_skip -= 1
            continue
        kept.append(argument)
    return shlex.join(["raygene", *kept])


def _values(number: int | str | None) -> float:
    """How many values follow an option at most, by its `nargs`."""
    if isinstance(number, int):
        return number
    return 1 if number in (None, "?") else float("inf")
