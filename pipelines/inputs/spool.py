"""Pipes read once into files, for the time of one command: every reader opens its input more than once.

The files lie in a folder of the cache that only this user can read. It is removed when the command ends; one of a
command that was killed is removed by the next command that reads a pipe.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from pipelines import storage
from pipelines.display import format_size
from pipelines.errors import InputError, RaygeneError, UsageError
from pipelines.inputs import contents

BLOCK = 1 << 20
# No genome has more: the largest known, of Tmesipteris, has 160 Gb.
MAX_BYTES = 200 << 30
_LOCK = ".lock"
_STANDARD_INPUT = frozenset({"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_Pipe = tuple[int, int]


class Spool:
    """The pipes of one command, and the files that they were read into.

    Args:
        note: called with a line about every pipe.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        self._folder: Path | None = None
        self._lock: io.IOBase | None = None
        self._copies: dict[_Pipe, tuple[str, str, Path]] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, RaygeneError):
            # People know the name that they gave.
            for _, name, copy in self._copies.values():
                error.problem = error.problem.replace(str(copy), name)
                error.fix = error.fix.replace(str(copy), name)
        if self._folder is not None and self._lock is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._lock.close()

    def file_of(self, option: str, name: str) -> str:
        """The path of a regular file with the content of an input, which is read now if it is a pipe.

        Args:
            option: the flag or key that names the input.
            name: its path; `-` is standard input.

        Returns:
            The path itself, if it names a regular file, a directory, an address, or nothing.

        Raises:
            UsageError: a pipe that another option names too, a socket, a device, or standard input that is closed.
            InputError: the pipe cannot be read, or does not end.
            StorageError: the disk is full.
        """
        is_input = name == "-" and not Path(name).exists()
        path = Path("/dev/stdin") if is_input else Path(name)
        if sys.stdin is None and (is_input or name in _STANDARD_INPUT):
            # Its number belongs to another file by now, possibly to a pipe that nobody writes to.
            raise UsageError(f"{option} {name}: standard input is closed", "name a file, or give it as < FILE")
        try:
            status = path.stat()
        except OSError:
            # Whoever reads it says so.
            return name
        if stat.S_ISDIR(status.st_mode):
            return name
        if stat.S_ISREG(status.st_mode):
            return _path_everywhere(path) or self._copy(option, name, path, status)
        if stat.S_ISFIFO(status.st_mode):
            return self._copy(option, name, path, status)
        return require_no_pipe(option, str(path), "write it to a file first, and name that")

    def has_copied(self, path: str) -> bool:
        """Whether a path is that of a file into which a pipe was read."""
        return any(str(copy) == path for _, _, copy in self._copies.values())

    def _copy(self, option: str, name: str, path: Path, status: os.stat_result) -> str:
        pipe = (status.st_dev, status.st_ino)
        if pipe in self._copies:
            other, _, copy = self._copies[pipe]
            if other != option:
                raise UsageError(
                    f"{option} {name}: the same pipe as {other}, and it can be read only once",
                    "write it to a file first, and name that",
                )
            return str(copy)
        copy = self._new_folder(len(self._copies)) / path.name
        self.note(f"{option} {name}: reading it once, into a file for this command")
        size = _read(option, name, path, copy)
        self._copies[pipe] = (option, name, copy)
        self.note(f"{option} {name}: {format_size(size)}")
        return str(copy)

    def _new_folder(self, number: int) -> Path:
        """A folder for one file, so that it keeps the name of its pipe."""
        if self._folder is None:
            parent = storage.cache_directory() / "spool"
            storage.make_directory(parent)
            _remove_leftovers(parent)
            try:
                self._folder = Path(tempfile.mkdtemp(dir=parent))
                self._lock = (self._folder / _LOCK).open("w")
                fcntl.flock(self._lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise storage.write_error(parent, error) from error
        folder = self._folder / str(number)
        storage.make_directory(folder)
        return folder


def _path_everywhere(path: Path) -> str | None:
    """The path of a regular file that every process can open; None for one that only this process has, by number."""
    if not path.absolute().is_relative_to("/dev") and not path.absolute().is_relative_to("/proc"):
        return str(path)
    resolved = path.resolve()
    with suppress(OSError):
        if resolved.samefile(path):
            return str(resolved)
    return None


def require_no_pipe(option: str, name: str, fix: str) -> str:
    """Refuse what is neither a regular file nor a directory; return the name of what is.

    Args:
        option: the flag or key that names the file.
        name: its path; an address, or what does not exist, is returned.
        fix: what to do instead.

    Raises:
        UsageError: a pipe, a socket or a device; except /dev/null, which can be read again and again.
    """
    try:
        mode = Path(name).stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or Path(name).samefile(os.devnull):
            return name
    except (OSError, ValueError):
        return name
    raise UsageError(f"{option} {name}: is {contents.kind_of(mode)}", fix)


def _remove_leftovers(parent: Path) -> None:
    """Remove the folders of commands that were killed: nobody holds their locks."""
    for folder in parent.iterdir():
        with suppress(OSError), (folder / _LOCK).open("r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def _read(option: str, name: str, path: Path, copy: Path) -> int:
    """Copy a pipe into a file; return its bytes."""
    size = 0
    try:
        with path.open("rb", buffering=0) as source, copy.open("xb", buffering=0) as target:
            while block := source.read(BLOCK):
                size += len(block)
                if size > MAX_BYTES:
                    raise InputError(
                        f"{option} {name}: does not end after {format_size(MAX_BYTES)}", "write it to a file first"
                    )
                storage.require_room(copy.parent, f"reading {option} {name}")
                rest = memoryview(block)
                while rest:
                    rest = rest[target.write(rest) :]
    except OSError as error:
        if error.filename == str(path):
            raise InputError(f"{option} {name}: {error.strerror or error}", "check the path") from error
        raise storage.write_error(copy, error) from error
    return size
