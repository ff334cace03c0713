"""The SHA-256 of input files, cached for as long as a file does not change, and checks that it did not.

A file counts as unchanged while its device, inode, size, and times of modification and of status change (nanoseconds)
are the same. A hash therefore stands for a status, and whoever compares the status after reading knows that the hash is
of what was read. Hashing costs a read of the file (1.5 GB/s); the cached hash is one small file.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from pipelines import fingerprint, os_errors, storage
from pipelines.errors import InputError, ResourceError

# Seconds since the last write before a hash is cached.
SETTLED = 2.0
# Two writes within one tick of the file system's clock leave the same times: no file is hashed within it. Linux has
# ticks of at most 10 ms; a file system that stores whole seconds (FAT, HFS+) has up to two seconds.
TICK, COARSE_TICK = 0.02, 2.0
TRIES = 3
_SECOND = 10**9
_KINDS = {
    stat.S_ISFIFO: "a pipe, which can be read only once",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


class Status(NamedTuple):
    """What the file system says of a file; any write to the file changes it.

    Attributes:
        device, inode: the file.
        size: bytes.
        modified, changed: times of the last write and of the last change of the status, nanoseconds.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int


def status_of(file: int | Path) -> Status:
    """The status of an open file, by its descriptor, or of the file at a path.

    Raises:
        OSError: no such file.
    """
    status = os.fstat(file) if isinstance(file, int) else file.stat()
    return Status(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading.

    Raises:
        InputError: missing, not readable, a directory, or something that cannot be read twice (a pipe, a device).
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or path.samefile(os.devnull):
            return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a directory", "name a file")
    raise InputError(f"{path}: is {kind_of(mode)}", "write it to a file first, and name that")


def kind_of(mode: int) -> str:
    """What a file is that is neither regular nor a directory, for an error, by its mode."""
    return next((name for is_kind, name in _KINDS.items() if is_kind(mode)), "no regular file")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: {os_errors.cause(error)}", os_errors.read_fix(error))


def of_file(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's bytes.

    Raises:
        InputError: the file is missing, cannot be read, is no regular file, or changes all the time.
    """
    with open_regular(path) as stream:
        return of_open(stream, path)[0]


def of_open(stream: BufferedReader, path: Path) -> tuple[str, Status]:
    """SHA-256 (hexadecimal) of an open file's bytes, and the status with which it has them.

    Args:
        stream: the file; its position is not kept.
        path: its path, under which the hash is cached.

    Raises:
        InputError: the file cannot be read, or changes all the time.
    """
    for _ in range(TRIES):
        status = _status_after_tick(stream.fileno())
        if cached := _cached(path, status):
            return cached, status
        try:
            stream.seek(0)
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(path, error) from error
        if status_of(stream.fileno()) == status:
            if _age(status) > SETTLED:
                _cache(path, status, content)
            return content, status
    raise changed(path)


def require(stream: BufferedReader, path: Path, expected: str, machine: str) -> Status:
    """The status of an open file, once it is known to have the expected SHA-256.

    Args:
        stream: the file; its position is not kept.
        path: its path.
        expected: its SHA-256.
        machine: where the SHA-256 was taken.

    Raises:
        InputError: it has another one: it was changed, or another machine has another file under this path.
    """
    content, status = of_open(stream, path)
    if content != expected:
        raise changed(path, machine)
    return status


def changed(path: Path, machine: str | None = None) -> InputError:
    """The error for a file that is not what it was when it was hashed on a machine (default: on this one)."""
    here = platform.node()
    if machine is not None and machine != here:
        return InputError(
            f"{path}: another file on machine {here} than on {machine}",
            "put one copy on storage that every machine mounts at that path",
            code="changed",
        )
    return InputError(f"{path}: changed while it was read", "run the same command again", code="changed")


@contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Refuse files that change while the block reads them, so that their hash and several readings agree.

    Raises:
        InputError: a file is missing or no regular file, or its status is another one after the block.
    """
    before = {}
    for path in paths:
        with open_regular(path) as stream:
            before[path] = _status_after_tick(stream.fileno())
    try:
        yield
    except InputError:
        # What a reader says of a file that was being written is beside the point.
        _require_unchanged(before)
        raise
    _require_unchanged(before)


def _require_unchanged(before: Mapping[Path, Status]) -> None:
    for path, status in before.items():
        try:
            if status_of(path) == status:
                continue
        except OSError as error:
            raise changed(path) from error
        raise changed(path)


@contextmanager
def holding(expected: Mapping[Path, str], machine: str) -> Iterator[None]:
    """Refuse files that do not have their SHA-256, or do not keep it, while the block reads them.

    Args:
        expected: SHA-256 of each file.
        machine: where they were taken.

    Raises:
        InputError: a file is missing, no regular file, or another one.
    """
    with unchanged(*expected):
        for path, content in expected.items():
            with open_regular(path) as stream:
                require(stream, path, content, machine)
        yield


def remember(path: Path, content: str) -> None:
    """Cache the SHA-256 of a file that this process has just written and hashed on the way."""
    with open_regular(path) as stream:
        _cache(path, _status_after_tick(stream.fileno()), content)


def _age(status: Status) -> float:
    """Seconds since the file was last changed."""
    return time.time() - max(status.modified, status.changed) / _SECOND


def _status_after_tick(descriptor: int) -> Status:
    """The status of an open file, at a time at which any later write will change it."""
    status = status_of(descriptor)
    is_coarse = status.modified % _SECOND == status.changed % _SECOND == 0
    tick = COARSE_TICK if is_coarse else TICK
    if (age := _age(status)) < tick:
        # A file from the future, of another machine's clock, has no age that could be trusted.
        time.sleep(min(tick - age, tick))
        status = status_of(descriptor)
    return status


def _entry(path: Path, status: Status) -> Path:
    return storage.cache_directory() / "contents" / fingerprint.of_value([str(path.resolve()), *status])


def _seal(entry: Path, content: str) -> str:
    """A digest over what is cached and for which file, so that a damaged entry is seen."""
    return fingerprint.of_value([entry.name, content])


def _cached(path: Path, status: Status) -> str | None:
    """The cached SHA-256 of a file with this status; None where there is none, or a damaged one."""
    # A cache that cannot be read or written costs another hash, nothing else.
    with suppress(OSError):
        entry = _entry(path, status)
        content, _, seal = entry.read_text(encoding="ascii", errors="replace").partition(" ")
        if seal == _seal(entry, content):
            return content
    return None


def _cache(path: Path, status: Status, content: str) -> None:
    with suppress(OSError, ResourceError):
        entry = _entry(path, status)
        storage.write_text(entry, f"{content} {_seal(entry, content)}")
