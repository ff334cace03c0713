"""The SHA-256 of large files, remembered in the cache while a file stays as it is.

A file is the same if its path, inode, size, and times of modification and of change (to the nanosecond) are; what was touched in the last
seconds is not remembered, since a clock tick can hide a second write. Hashing costs a read (1.5 GB/s), remembering nothing.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from pipelines import fingerprint, storage
from pipelines.errors import InputError, ResourceError

SETTLED = 2.0


def of_file(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's bytes.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        found = path.resolve().stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "check the path and its permissions") from error
    facts = [str(path.resolve()), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    note = storage.cache_directory() / "contents" / fingerprint.of_value(facts)
    # A cache that cannot be read or written costs another hash, nothing else.
    with suppress(OSError):
        if len(known := note.read_text(encoding="ascii", errors="replace")) == 64:
            return known
    content = fingerprint.of_file(path)
    if time.time() - max(found.st_mtime, found.st_ctime) > SETTLED:
        with suppress(ResourceError):
            storage.write_text(note, content)
    return content
