"""Reads and writes JSON Lines: `metrics.jsonl`, with a line per epoch, and `steps.jsonl`, with a line every few steps.

When a run resumes, both are brought in line with its checkpoint: lines about steps that will be repeated are removed,
so that each step is there once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import storage


def write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Make a file hold exactly these records, one line each; a file that already does is left untouched.

    Raises:
        StorageError: the file cannot be written.
    """
    text = "".join(map(_line, records))
    if not path.exists() or path.read_bytes() != text.encode():
        storage.write_text(path, text)


def read(path: Path) -> list[dict[str, Any]]:
    """Read the records of a file; return none if it is missing or has a line that is not a record."""
    try:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, RecursionError):
        return []
    return records if all(isinstance(record, dict) for record in records) else []


def append(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Add lines to a file.

    Raises:
        StorageError: the file cannot be written.
    """
    if not records:
        return
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("".join(map(_line, records)))
    except OSError as error:
        raise storage.write_error(path, error) from error


def truncate(path: Path, run: str, epoch: int, step: int) -> None:
    """Keep only the lines of a run's step log up to a step; a line that is damaged or not whole is removed too.

    Args:
        path: the log; it may be missing.
        run: the beginning of the run's key; lines of other runs are removed.
        epoch: epochs finished.
        step: steps finished of the next epoch.

    Raises:
        StorageError: the file cannot be written.
    """
    if not path.exists():
        return
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise storage.write_error(path, error) from error
    write(path, [record for line in lines if (record := _record_up_to(line, run, epoch, step)) is not None])


def _record_up_to(line: bytes, run: str, epoch: int, step: int) -> dict[str, Any] | None:
    """The record of a line; None if it is of another run or of a later step, or was damaged."""
    try:
        record = json.loads(line)
        is_earlier = record["run"] == run and (int(record["epoch"]) - 1, int(record["step"])) <= (epoch, step)
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
    return record if is_earlier else None


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True) + "\n"
