"""The files of a directory, for processes on other nodes: an actor on the directory's node, and its client.

A file is sent in blocks, so that no process holds a whole one, and it appears whole. What is known to have grown at its
end, such as a log, is extended.
"""

from __future__ import annotations

import fnmatch
import os
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipelines import storage
from pipelines.errors import RaygeneError, StorageError, one_line
from pipelines.remote import MissingError
from pipelines.stores.store import StoredFile

BLOCK = 8 << 20
ABANDONED_S = 600.0
"""From then on a file that nobody has gone on sending is removed."""
_RESTARTS = 3


class FolderServer:
    """The actor. Names are paths relative to the directory, with slashes; every error is a `StorageError`.

    A call may be made twice, for Ray repeats it where the actor was restarted.

    Args:
        path: of the directory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sent_at: dict[Path, float] = {}

    def files(self, folder: str, patterns: Sequence[str]) -> dict[str, StoredFile]:
        """The files of a folder that match one of some patterns, by their names in it."""
        base = self._path / folder
        paths = {path for pattern in patterns for path in base.glob(pattern)}
        found = {path.relative_to(base).as_posix(): _stored(path) for path in sorted(paths)}
        return {name: file for name, file in found.items() if file is not None}

    def read(self, name: str, version: str, offset: int) -> bytes:
        """A block of a file; empty at its end.

        Raises:
            MissingError: there is no such file, or another one in its place.
        """
        path = self._path / name
        try:
            with path.open("rb") as stream:
                if _version(os.fstat(stream.fileno())) == version:
                    stream.seek(offset)
                    return stream.read(BLOCK)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StorageError(f"{path}: cannot be read ({one_line(error, 120)})", "see why, and run again") from error
        raise MissingError(f"{path}: was replaced or removed while a worker read it", "run again")

    def put(self, name: str, upload: str, offset: int, block: bytes, *, is_last: bool) -> None:
        """Take a block of a file; with the last one the file appears, in place of the one of that name."""
        path = self._path / name
        partial = path.with_name(f".{path.name}.{upload}.partial")
        self._remove_abandoned()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if offset and not partial.exists() and is_last and path.exists():
                # A call that is repeated.
                return
            with partial.open("r+b" if offset else "wb") as stream:
                stream.seek(offset)
                stream.write(block)
                self._sent_at[partial] = time.monotonic()
                if is_last:
                    stream.flush()
                    os.fsync(stream.fileno())
            if is_last:
                partial.replace(path)
                self._sent_at.pop(partial, None)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise storage.write_error(path, error) from error

    def extend(self, name: str, offset: int, block: bytes) -> bool:
        """Write a block at the end of a file that has `offset` bytes; whether it has them."""
        path = self._path / name
        try:
            with path.open("r+b") as stream:
                if stream.seek(0, os.SEEK_END) < offset:
                    return False
                stream.seek(offset)
                stream.write(block)
                stream.truncate()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage.write_error(path, error) from error
        return True

    def delete(self, names: Sequence[str]) -> None:
        """Remove files; one that is not there is no error."""
        for name in names:
            try:
                (self._path / name).unlink(missing_ok=True)
            except OSError as error:
                raise storage.write_error(self._path / name, error) from error

    def _remove_abandoned(self) -> None:
        """Remove what workers that were lost have sent of a file."""
        before = time.monotonic() - ABANDONED_S
        for partial in [path for path, sent_at in list(self._sent_at.items()) if sent_at < before]:
            partial.unlink(missing_ok=True)
            self._sent_at.pop(partial, None)


def _version(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_ino}"


def _stored(path: Path) -> StoredFile | None:
    try:
        return StoredFile(path.stat().st_size, _version(path.stat())) if path.is_file() else None
    except OSError:
        return None


def start(path: Path) -> Any:
    """Start the actor for a directory of this node, on which it stays; it reserves nothing, and ends with this process.

    Args:
        path: of the directory.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options: dict[str, Any] = {
        "num_cpus": 0,
        "max_concurrency": 8,
        "max_restarts": _RESTARTS,
        "max_task_retries": _RESTARTS,
        "scheduling_strategy": here,
    }
    return ray.remote(**options)(FolderServer).remote(path)


class RemoteFolder:
    """A folder of an actor's directory, for a process on another node.

    Every operation raises `StorageError` where the disk there or the actor fails.

    Args:
        server: the actor.
        shown: the folder's path, for errors.
        folder: its path in the actor's directory; empty for that itself.
        appended: patterns of the names of files that only grow at their end, once this process has sent them.
    """

    def __init__(self, server: Any, shown: str, folder: str, appended: Sequence[str] = ()) -> None:
        self._server, self._shown, self._folder, self._appended = server, shown, folder, appended
        self._sent: dict[str, tuple[int, int]] = {}

    def files(self, patterns: Sequence[str]) -> dict[str, StoredFile]:
        """The files that match one of some patterns, by name."""
        found: dict[str, StoredFile] = self._call("files", self._folder, list(patterns))
        return found

    def download(self, name: str, file: StoredFile, target: Path) -> None:
        """Copy a file to a path of this node, where it appears whole.

        Raises:
            MissingError: it is not there any more as `files` has found it.
        """
        with storage.replacing(target) as temporary, temporary.open("wb") as stream:
            while block := self._call("read", self._name(name), file.version, stream.tell()):
                stream.write(block)

    def upload(self, source: Path, name: str) -> None:
        """Send a file, in place of the one of that name.

        Raises:
            FileNotFoundError: there is no such file here.
        """
        with source.open("rb") as stream:
            inode = os.fstat(stream.fileno()).st_ino
            sent_inode, offset = self._sent.pop(name, (0, 0))
            if inode != sent_inode or not self._extend(name, stream, offset):
                stream.seek(0)
                self._put(name, stream)
            if any(fnmatch.fnmatch(name, pattern) for pattern in self._appended):
                self._sent[name] = inode, stream.tell()

    def delete(self, names: Iterable[str]) -> None:
        """Remove files; one that is not there is no error."""
        if listed := [self._name(name) for name in names]:
            self._call("delete", listed)

    def _put(self, name: str, stream: Any) -> None:
        upload, offset = uuid.uuid4().hex, 0
        block = stream.read(BLOCK)
        is_last = False
        while not is_last:
            following = stream.read(BLOCK)
            is_last = not following
            self._call("put", self._name(name), upload, offset, block, is_last=is_last)
            offset, block = offset + len(block), following

    def _extend(self, name: str, stream: Any, offset: int) -> bool:
        stream.seek(offset)
        while block := stream.read(BLOCK):
            if not self._call("extend", self._name(name), offset, block):
                return False
            offset += len(block)
        return True

    def _name(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        import ray

        try:
            return ray.get(getattr(self._server, method).remote(*arguments, **options))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, RaygeneError):
                raise error.cause from error
            raise self._lost(error) from error
        except ray.exceptions.RayError as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> StorageError:
        return StorageError(
            f"{self._shown}: a worker cannot reach it on the machine of the command ({one_line(error, 160)})",
            "run the same command to resume",
        )
