"""The SHA-256 of large files, cached for as long as a file does not change.

A file counts as unchanged if its path, inode, size, and times of modification and of status change (in nanoseconds) are
the same. Hashing costs a read of the file (1.5 GB/s); the cached hash is one small file.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from pipelines import fingerprint, storage
from pipelines.errors import InputError, ResourceError

# Seconds since the last write before a hash is cached: two writes within one tick of the file system's clock leave the
# same times.
SETTLED = 2.0


def of_file(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's bytes.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        status = path.resolve().stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "check the path and its permissions") from error
    identity = [
        str(path.resolve()),
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]
    entry = storage.cache_directory() / "contents" / fingerprint.of_value(identity)
    # A cache that cannot be read or written costs another hash, nothing else.
    with suppress(OSError):
        if len(cached := entry.read_text(encoding="ascii", errors="replace")) == 64:
            return cached
    content = fingerprint.of_file(path)
    if time.time() - max(status.st_mtime, status.st_ctime) > SETTLED:
        with suppress(ResourceError):
            storage.write_text(entry, content)
    return content
