"""The space of the cache of splits: a limit for all entries together, and which of them make room for another.

An entry is in use while a process has a shared lock on its tokens, which the kernel releases when the process ends.
Entries in use stay; of the others the least recently used ones go first. What other processes are writing counts with
the space that it needs when it is finished. If that is not enough, nothing is written.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipelines import schema, storage
from pipelines.display import format_compared, format_size
from pipelines.errors import ResourceError, UsageError
from pipelines.stores.cache_room import LIMIT, limit_bytes

TOKENS = "tokens.arrow"
_RESERVED = "reserved"
"""A file of an entry that is being written, without content and as long as the entry will be."""
_NAME = rf"(?:{'|'.join(schema.SPLITS)})-[0-9a-f]{{16}}"
_ENTRY, _HIDDEN = re.compile(_NAME), re.compile(rf"\.({_NAME})\.")


class _Usage(NamedTuple):
    """When an entry was last opened, as a time stamp, and its size in bytes."""

    last_opened: float
    size: int


def use(entry: Path) -> int | None:
    """Mark an entry as in use; return the descriptor to close afterwards, or None if it is gone or being removed.

    Where the file system has no locks, the descriptor marks nothing.
    """
    try:
        descriptor = os.open(entry / TOKENS, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        pass
    return descriptor


def reserve(datasets: Path, staging: Path, needed: int, what: str) -> None:
    """Make room for an entry, and count it from now on.

    Args:
        datasets: the directory of all datasets in the cache.
        staging: where the entry is built, an empty directory.
        needed: its bytes.
        what: the split and its dataset, for the error.

    Raises:
        OSError: the cache cannot be written.
        UsageError: the entry does not fit within the limit, or that is not a number.
    """
    limit = limit_bytes()
    _require(what, needed, limit, 0)
    # One after another, so that two writers do not take the same room.
    with storage.only_writer(datasets / "space", wait=True):
        _require(what, needed, limit, _free(datasets, needed, limit))
        with (staging / _RESERVED).open("wb") as stream:
            stream.truncate(needed)


def release(staging: Path) -> None:
    """Count an entry by its files, which are complete."""
    (staging / _RESERVED).unlink()


def _require(what: str, needed: int, limit: float, occupied: int) -> None:
    if needed + occupied <= limit:
        return
    required, available = format_compared(needed, max(limit - occupied, 0))
    room, wait = f"whose limit is {available}", ""
    if occupied:
        room = f"which has {available} left of {format_size(limit)}: {format_size(occupied)} are in use"
        wait = ", or wait for the processes that use it"
    least = -(-(needed + occupied) // 2**30)
    raise UsageError(
        f"{what} takes {required} of this machine's cache, {room}",
        f"set {LIMIT} to {least} or more{wait}",
        code="cache_limit",
        key=LIMIT,
    )


def _free(datasets: Path, needed: int, limit: float) -> int:
    """Remove entries until `needed` bytes fit within the limit and on the disk; return the bytes of what is left.

    Leftovers of killed processes are removed first.
    """
    for entry in _entries_with_leftovers(datasets):
        _drop(entry, whole=False)
    entries = {entry: usage for entry in _list_entries(datasets) if (usage := _usage(entry))}
    cached = sum(usage.size for usage in entries.values())
    for _, entry in sorted((usage.last_opened, entry) for entry, usage in entries.items()):
        if cached + needed <= limit and needed <= shutil.disk_usage(datasets).free:
            break
        if _ENTRY.fullmatch(entry.name):
            _drop(entry, whole=True)
            if not entry.exists():
                cached -= entries[entry].size
    return cached


def _usage(entry: Path) -> _Usage | None:
    """The usage of an entry, also one that is being written; None for anything else, and for one that is gone."""
    try:
        if _ENTRY.fullmatch(entry.name):
            return _Usage(entry.stat().st_mtime, sum(file.stat().st_size for file in entry.iterdir()))
        if _HIDDEN.match(entry.name):
            return _Usage(entry.stat().st_mtime, (entry / _RESERVED).stat().st_size)
    except (FileNotFoundError, NotADirectoryError):
        pass
    return None


def _entries_with_leftovers(datasets: Path) -> set[Path]:
    """Entries with a hidden file or directory next to them: a lock of their writer, or a leftover of a killed one."""
    matches = ((path, _HIDDEN.match(path.name)) for path in _list_entries(datasets))
    return {path.with_name(match[1]) for path, match in matches if match}


def _list_entries(datasets: Path) -> list[Path]:
    """The content of the directories of all datasets; nothing of one that another process has just removed."""
    paths: list[Path] = []
    for dataset in datasets.iterdir():
        with suppress(FileNotFoundError, NotADirectoryError):
            paths += dataset.iterdir()
    return paths


def _drop(entry: Path, *, whole: bool) -> None:
    """Remove the leftovers of an entry, and the entry itself if `whole`; nothing if it is in use or being written."""
    with suppress(ResourceError), storage.only_writer(entry):
        if whole and not _is_in_use(entry):
            # Renamed at once, so that no process finds half of an entry.
            with suppress(OSError):
                entry.rename(entry.with_name(f".{entry.name}.dropped"))
        remove_leftovers(entry)
    # Succeeds only if the dataset has no other entries.
    with suppress(OSError):
        entry.parent.rmdir()


def _is_in_use(entry: Path) -> bool:
    try:
        # NFS gives exclusive locks on files that are open for writing only.
        descriptor = os.open(entry / TOKENS, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def remove_leftovers(entry: Path) -> None:
    """Remove the hidden directories of an entry, whose lock this process holds."""
    for path in entry.parent.iterdir():
        if path.name.startswith(f".{entry.name}.") and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
