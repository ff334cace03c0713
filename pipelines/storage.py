"""Files and directories that appear whole or not at all.

A file is written beside its place and renamed. A directory is built in a hidden sibling and swapped in; the
old one stays until the new one stands. Renames within one folder are atomic on POSIX file systems.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.errors import BusyError, StorageError

_PARTIAL = ".partial"


def unwritable(path: Path, error: OSError) -> StorageError:
    """The error for a place that cannot be written."""
    return StorageError(f"{path}: cannot be written ({error.strerror or error})", "free space or choose another place")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; rename it to `path` on success, remove it on failure.

    Raises:
        ResourceError: the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, or leave what was there."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_partial(directory: Path, name: str = "") -> None:
    """Remove what killed writers of `name` (a pattern) left in a directory; of any name, in its subdirectories too, when empty."""
    found = directory.glob(f".{name}.*{_PARTIAL}") if name else directory.rglob(f".*{_PARTIAL}")
    for leftover in found:
        leftover.unlink(missing_ok=True)


@contextmanager
def only_writer(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the right to write `directory`, by a lock file beside it that ends with the process.

    Args:
        directory: what to write.
        wait: for another process that holds it, rather than refuse.

    Raises:
        BusyError: another process holds it.
        StorageError: the folder cannot be written.
    """
    path = directory.with_name(f".{directory.name}.lock")
    while True:
        make_directory(directory.parent)
        try:
            stream = path.open("w")
        except FileNotFoundError:
            # Another process has just removed the empty folder.
            continue
        except OSError as error:
            raise unwritable(directory, error) from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if wait:
                    raise unwritable(directory, error) from error
                raise BusyError(
                    f"{directory}: another process is writing it", "wait for it, or choose another place"
                ) from error
            if not _is_at(stream.fileno(), path):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one at `path`: the holder before may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def staging_for(directory: Path, key: str) -> Path:
    """The hidden sibling in which `directory` is built; `key` names its content."""
    return directory.with_name(f".{directory.name}.building-{key[:12]}")


def make_directory(directory: Path) -> None:
    """Create a directory and its parents.

    Raises:
        ResourceError: it cannot be created.
    """
    while True:
        try:
            return directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            # It was there, and another process has just removed it.
            if isinstance(error, FileExistsError) and not os.path.lexists(directory):
                continue
            raise unwritable(directory, error) from error


def _retired(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.replaced")


def swap_in(staging: Path, directory: Path) -> None:
    """Put a finished staging directory in the place of `directory`, then drop the old one.

    A kill between the two renames is mended by `recover`.
    """
    retired = _retired(directory)
    try:
        if directory.exists():
            shutil.rmtree(retired, ignore_errors=True)
            directory.rename(retired)
        staging.rename(directory)
    except OSError as error:
        recover(directory)
        raise unwritable(directory, error) from error
    shutil.rmtree(retired, ignore_errors=True)


def recover(directory: Path) -> None:
    """Bring back the old directory if a kill fell between the two renames of `swap_in`."""
    retired = _retired(directory)
    if retired.exists() and not directory.exists():
        retired.rename(directory)


def cache_directory() -> Path:
    """Where indexes and unpacked genomes live: `RAYGENE_CACHE`, else `XDG_CACHE_HOME/raygene`, else `~/.cache/raygene`.

    A relative `RAYGENE_CACHE` is made absolute in the environment at the first call: Ray Train's workers, for one, have
    another working directory, and inherit it.
    """
    if chosen := os.environ.get("RAYGENE_CACHE"):
        place = Path(chosen).absolute()
        os.environ["RAYGENE_CACHE"] = str(place)
        return place
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "raygene"
