"""The record of the files in a directory of the cache, by which a damaged or edited one is noticed.

It has the size, SHA-256 and status (times of modification and of status change, in nanoseconds) of each file. Files
with the recorded status are taken as unchanged, so that gigabytes are not hashed each time; the status changes with any
write, copy or move, and then the hash decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines import fingerprint, storage
from pipelines.errors import InputError, StorageError

NAME = "record.json"
_CHECKED = "checked"
_LARGEST = 1 << 20
_STATUS = ("bytes", "mtime_ns", "ctime_ns")


def write(directory: Path, names: Sequence[str], checked: Mapping[str, Any]) -> None:
    """Record files, which reads all of them.

    Args:
        directory: of the files.
        names: of the files.
        checked: what their content was compared with.

    Raises:
        OSError: one cannot be read.
        StorageError: the record cannot be written.
    """
    try:
        record = {name: _status(directory / name) | {"sha256": fingerprint.of_file(directory / name)} for name in names}
    except InputError as error:
        raise OSError(str(error)) from error
    storage.write_text(directory / NAME, json.dumps(record | {_CHECKED: dict(checked)}, sort_keys=True))


def exists(directory: Path) -> bool:
    """Whether a directory has a record."""
    return (directory / NAME).exists()


def fits(directory: Path, names: Sequence[str], checked: Mapping[str, Any]) -> bool:
    """Whether files are those that were recorded, and were compared with the same.

    The record of files that were copied or moved is written anew, if it can be.
    """
    try:
        record = _read(directory / NAME)
        current = {name: _status(directory / name) for name in names}
        if record[_CHECKED] != checked:
            return False
        if all(_has_status(record[name], current[name]) for name in names):
            return True
        same_bytes = all(
            record[name]["bytes"] == current[name]["bytes"]
            and record[name]["sha256"] == fingerprint.of_file(directory / name)
            for name in names
        )
    except (OSError, ValueError, LookupError, TypeError, RecursionError, InputError):
        return False
    if same_bytes:
        record |= {name: current[name] | {"sha256": record[name]["sha256"]} for name in names}
        with suppress(StorageError):
            storage.write_text(directory / NAME, json.dumps(record, sort_keys=True))
    return same_bytes


def _read(path: Path) -> Any:
    # Another kind of file may block, or never end.
    if not path.is_file():
        raise ValueError("not a regular file")
    with path.open("rb") as stream:
        return json.loads(stream.read(_LARGEST))


def _status(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}


def _has_status(recorded: dict[str, Any], current: dict[str, Any]) -> bool:
    return all(recorded[key] == current[key] for key in _STATUS)
