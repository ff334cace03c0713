"""Room in this node's cache: of each of its folders, the entries that were used longest ago go first.

An entry is a directory; its time of change says when it was last used. A process does not hold what it uses, so what
was used a short while ago stays.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from pipelines import environment, storage
from pipelines.errors import ResourceError

LIMIT = "RAYGENE_CACHE_GIB"
DEFAULT_GIB = 100.0
DAY_S = 86_400.0


def limit_bytes() -> float:
    """How many bytes each folder of the cache may hold.

    Raises:
        UsageError: the environment variable is not a number, or below 0.
    """
    return environment.size_limit(LIMIT, DEFAULT_GIB)


def use(entry: Path) -> None:
    """Note that an entry is used now."""
    with suppress(OSError):
        os.utime(entry)


def make_room(
    folder: Path, needed: int = 0, *, keep: Path | None = None, idle_s: float = DAY_S, limit: float | None = None
) -> float:
    """Remove entries until `needed` bytes fit within the limit and on the disk; return the bytes that are free then.

    Reads the status of every file in the folder.

    Args:
        folder: of the cache.
        needed: bytes that are to be written.
        keep: an entry that stays.
        idle_s: how long an entry must not have been used before it is removed.
        limit: bytes of all entries together (default: `limit_bytes`).

    Raises:
        UsageError: as `limit_bytes`.
    """
    limit = limit_bytes() if limit is None else limit
    entries = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    sizes = {path: _size(path) for path in entries}
    total = sum(sizes.values())
    for last_used, path in sorted((_last_used(path), path) for path in entries if path != keep):
        if total + needed <= limit and needed <= _free(folder):
            break
        if time.time() - last_used > idle_s:
            with suppress(ResourceError), storage.only_writer(path):
                shutil.rmtree(path, ignore_errors=True)
                total -= sizes[path]
    return min(_free(folder), limit - total)


def _free(folder: Path) -> int:
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def _size(entry: Path) -> int:
    total = 0
    for file in entry.rglob("*"):
        with suppress(OSError):
            total += file.stat().st_size if file.is_file() else 0
    return total


def _last_used(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0
