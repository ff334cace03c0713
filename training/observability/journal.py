"""`metrics.jsonl`, a line an epoch, and `steps.jsonl`, a line every few steps: of this run, and each step once.

Both are brought in line with the checkpoint when training begins or goes on: what had been written of steps that are
done again is taken out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import storage


def write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Make a file hold exactly these records, one line each; a file that does is left untouched.

    Raises:
        ResourceError: the place cannot be written.
    """
    text = "".join(map(_line, records))
    if not path.exists() or path.read_bytes() != text.encode():
        storage.write_text(path, text)


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a file; none if it is missing or has a line that is no record."""
    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []
    return found if all(isinstance(record, dict) for record in found) else []


def append(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Add lines to a file.

    Raises:
        ResourceError: the place cannot be written.
    """
    if not records:
        return
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("".join(map(_line, records)))
    except OSError as error:
        raise storage.write_error(path, error) from error


def truncate(path: Path, run: str, epoch: int, step: int) -> None:
    """Keep the lines of a run's step log up to a step; a last line that was not written whole goes too.

    Args:
        path: the log; it need not be there.
        run: the lines of another are taken out.
        epoch: epochs finished.
        step: steps finished of the next.

    Raises:
        ResourceError: the place cannot be written.
    """
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record.get("run") == run and (record["epoch"] - 1, record["step"]) <= (epoch, step):
            kept.append(record)
    write(path, kept)


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True) + "\n"
