"""Files and directories that appear whole or not at all, and the lock that keeps two writers apart.

A file is written next to its final path and renamed. A directory is built in a hidden sibling and swapped in; the
old one stays until the new one is complete. Renames within one directory are atomic on POSIX file systems.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines import os_errors
from pipelines.address import masked_values
from pipelines.display import format_size
from pipelines.errors import BusyError, StorageError

RUN_FOLDER = "RAYGENE_RUN_FOLDER"
"""The variable that names a folder for temporary files of a run's processes; it goes with the run or the next one."""
_PARTIAL = ".partial"
_MOST_REFUSALS = 100
"""Times in a row that a lock file may not be opened although its directory has just been found or made."""


def write_error(path: Path, error: OSError) -> StorageError:
    """The error for a file or directory that cannot be written."""
    return StorageError(
        f"{path}: cannot be written ({os_errors.cause(error)})", os_errors.fix(error, "choose another location")
    )


@contextmanager
def replacing(path: Path, *, keeps_suffix: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same directory; rename it to `path` on success, remove it on failure.

    Args:
        path: of the file.
        keeps_suffix: whether the temporary path ends as `path` does, for a writer that goes by that.

    Raises:
        StorageError: the directory cannot be written, or the disk is full, or a device or pipe would be replaced.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_PARTIAL}{path.suffix if keeps_suffix else ''}")
    try:
        if path.exists() and not path.is_file():
            raise StorageError(f"{path}: is no regular file", "name another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole, or leave the earlier one.

    Raises:
        StorageError: the directory cannot be written, or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any, *, allow_nan: bool = True) -> None:
    """Write figures for programs, with every credential in their texts masked; else as `write_text`.

    Args:
        path: of the file.
        document: of mappings, lists and scalars.
        allow_nan: whether a number may be none; JSON itself has no NaN.
    """
    write_text(path, json.dumps(masked_values(document), indent=1, allow_nan=allow_nan) + "\n")


# Bytes of a disk that large copies leave free; of a small disk a share.
RESERVE, RESERVED_SHARE = 1 << 30, 0.05


def file_status(path: Path) -> list[int]:
    """Size, time of change and inode of a file: a file that was written again has others."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def require_room(folder: Path, purpose: str) -> None:
    """Refuse to write on, where a disk is nearly full.

    Args:
        folder: on the disk.
        purpose: what is being done, for the error.

    Raises:
        StorageError: less than `RESERVE` bytes, or `RESERVED_SHARE` of the disk, are free.
    """
    disk = shutil.disk_usage(folder)
    if disk.free < min(RESERVE, disk.total * RESERVED_SHARE):
        raise StorageError(
            f"{folder}: {format_size(disk.free)} are free, too few for {purpose}",
            "free space, or set RAYGENE_CACHE to a folder on a larger disk",
        )


def remove_partial(directory: Path, name: str = "") -> None:
    """Remove the temporary files that killed writers left in a directory.

    Args:
        directory: where to look.
        name: name, or glob pattern, of the files whose leftovers are removed. Empty: those of all files, also in
            subdirectories.
    """
    pattern = f".{name}.*{_PARTIAL}" if name else f".*{_PARTIAL}"
    for ending in ("", ".*"):
        for leftover in directory.glob(pattern + ending) if name else directory.rglob(pattern + ending):
            leftover.unlink(missing_ok=True)


@contextmanager
def only_writer(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the exclusive right to write `directory`, by a lock file next to it.

    The kernel releases the lock when the process ends, however it ends. The lock file is removed on release.

    Args:
        directory: the directory (or file) to write; it need not exist.
        wait: wait for another process that holds the lock instead of raising.

    Raises:
        BusyError: another process holds the lock.
        StorageError: the parent directory cannot be written, or its file system has no locks.
    """
    path = directory.with_name(f".{directory.name}.lock")
    refusals = 0
    while True:
        make_directory(directory.parent)
        try:
            stream = path.open("w")
        except FileNotFoundError as error:
            # Another process has just removed the parent directory, which was empty; or it takes no file, as /proc.
            refusals += 1
            if refusals == _MOST_REFUSALS:
                raise write_error(path, error) from error
            continue
        except OSError as error:
            raise write_error(directory, error) from error
        refusals = 0
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in os_errors.HELD_LOCK:
                    raise BusyError(
                        f"{directory}: another process is writing it", "wait for it, or choose another location"
                    ) from error
                # Nobody holds the lock: this file system gives none. Waiting would not help.
                supported = "choose a location on a file system that supports file locks"
                raise StorageError(
                    f"{directory}: cannot be locked ({os_errors.cause(error)})",
                    supported if error.errno in os_errors.NO_LOCKS else os_errors.fix(error, supported),
                ) from error
            if not _is_open_at(stream.fileno(), path):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_open_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at `path`; the previous holder may have removed it.

    Inodes are compared, because NFS renames an open file that is unlinked, and its link count stays 1.
    """
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def staging_directory(directory: Path, key: str) -> Path:
    """The hidden sibling in which `directory` is built; `key` identifies its content."""
    return directory.with_name(f".{directory.name}.building-{key[:12]}")


def make_directory(directory: Path) -> None:
    """Create a directory and its parents.

    Raises:
        StorageError: it cannot be created.
    """
    while True:
        try:
            return directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            # It, or a directory above it, existed, and another process has just removed it.
            if isinstance(error, FileExistsError) and not os.path.lexists(error.filename):
                continue
            raise write_error(directory, error) from error


def require_creatable(directory: Path) -> None:
    """Refuse a directory that could not be made and locked, as far as permissions and kinds of files tell.

    Nothing is written. The lock of one that exists is beside it, so that the directory above it has to be writable.

    Args:
        directory: it may exist.

    Raises:
        StorageError: as of `make_directory`.
    """
    for path in (directory, *directory.parents):
        number = None
        try:
            if not stat.S_ISDIR(path.stat().st_mode):
                number = errno.EEXIST
            elif path == directory:
                continue
            elif not os.access(path, os.W_OK | os.X_OK):
                number = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
        except FileNotFoundError:
            if not path.is_symlink():
                continue
            number = errno.EEXIST
        except OSError as error:
            raise write_error(directory, error) from error
        if number is not None:
            raise write_error(directory, OSError(number, os.strerror(number)))
        return


def _retired(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.replaced")


def swap_in(staging: Path, directory: Path) -> None:
    """Replace `directory` by a finished staging directory, then remove the old one.

    `recover` repairs the result of a kill between the two renames.

    Raises:
        StorageError: the parent directory cannot be written.
    """
    retired = _retired(directory)
    try:
        if directory.exists():
            shutil.rmtree(retired, ignore_errors=True)
            directory.rename(retired)
        staging.rename(directory)
    except OSError as error:
        recover(directory)
        raise write_error(directory, error) from error
    shutil.rmtree(retired, ignore_errors=True)


def recover(directory: Path) -> None:
    """Restore the old directory if a kill fell between the two renames of `swap_in`."""
    retired = _retired(directory)
    if retired.exists() and not directory.exists():
        retired.rename(directory)


def cache_directory() -> Path:
    """The directory of indexes, unpacked genomes and datasets that this machine keeps.

    It is `RAYGENE_CACHE`, else `XDG_CACHE_HOME/raygene`, else `~/.cache/raygene`; if there is none yet, it is made for
    its owner alone. The first call makes a relative `RAYGENE_CACHE` absolute in the environment: Ray's workers inherit
    it, and have another working directory.
    """
    if setting := os.environ.get("RAYGENE_CACHE"):
        directory = Path(setting).absolute()
        os.environ["RAYGENE_CACHE"] = str(directory)
    else:
        directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "raygene"
    if not directory.exists():
        # Whoever writes there reports what cannot be made.
        with suppress(OSError):
            directory.parent.mkdir(parents=True, exist_ok=True)
            directory.mkdir(mode=0o700)
    return directory
