"""A directory that a command writes together with its workers, as these get it.

Where the command says so (`served`), only its own node sees the directory: a worker on another one then works in a copy
in its node's cache, which gets the files that the worker reads, and from which what it writes is sent. Everywhere else
workers write into the directory itself.
"""

from __future__ import annotations

import fnmatch
import logging
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pipelines import storage
from pipelines.errors import BusyError, RaygeneError
from pipelines.stores import folder_server
from pipelines.stores.folder_server import RemoteFolder

PERIOD_S = 2.0
"""Seconds between two looks at what a worker has changed, and at what it waits for."""
_log = logging.getLogger(__name__)
_served: dict[Path, WorkerFolder] = {}


class OpenFolder(Protocol):
    """A directory in which a worker works."""

    @property
    def path(self) -> Path:
        """Of the directory, on the worker's node."""

    def pull(self, patterns: Sequence[str]) -> None:
        """Get files from the command's node; those that are here stay."""

    def push(self) -> None:
        """Have the command's node see what has changed here.

        Raises:
            StorageError: it cannot be written there, or that node does not answer.
        """


@dataclass(frozen=True)
class WorkerFolder:
    """The directory, as it is sent to workers.

    Attributes:
        path: on the command's node, and on all nodes unless there is a server.
        server: the actor that reads and writes it for other nodes; None: every node sees it.
        node: Ray's id of the command's node.
        folder: its path in the actor's directory.
    """

    path: Path
    server: Any = None
    node: str = ""
    folder: str = ""

    def of(self, path: Path) -> WorkerFolder:
        """The same for a directory in this one."""
        inner = path.relative_to(self.path).as_posix()
        return replace(self, path=path, folder="/".join(part for part in (self.folder, inner) if part not in ("", ".")))

    @property
    def is_elsewhere(self) -> bool:
        """Whether this process does not see the directory."""
        if self.server is None:
            return False
        import ray

        return bool(ray.get_runtime_context().get_node_id() != self.node)

    def exists(self, name: str) -> bool:
        """Whether a file is there, by its path in the directory."""
        if self.is_elsewhere:
            return bool(RemoteFolder(self.server, str(self.path), self.folder).files([name]))
        return (self.path / name).exists()

    @contextmanager
    def opened(
        self,
        fetched: Sequence[str] = (),
        *,
        last: Sequence[str] = (),
        appended: Sequence[str] = (),
        watched: Sequence[str] = (),
        continuously: bool = False,
    ) -> Iterator[OpenFolder]:
        """Work in the directory, or in a copy whose changes are sent to it at the end, by an error or without.

        Args:
            fetched: patterns of the names of files that the copy begins with.
            last: patterns of the names of files that are sent after all others, such as checkpoints after logs.
            appended: patterns of the names of files that only grow at their end.
            watched: names of files that may appear in the directory; the copy gets them some seconds later.
            continuously: whether changes are sent every few seconds too; so they are where files are watched.

        Raises:
            StorageError: a file cannot be read or written on either node, or the command's does not answer.
        """
        if not self.is_elsewhere:
            yield _Here(self.path)
            return
        with _own_directory() as directory:
            remote = RemoteFolder(self.server, str(self.path), self.folder, appended)
            copy = _Copy(directory, remote, last)
            with self._errors_name_the_directory(directory):
                copy.pull(fetched)
                with copy.kept_equal(watched, continuously=continuously or bool(watched)):
                    yield copy

    @contextmanager
    def _errors_name_the_directory(self, copy: Path) -> Iterator[None]:
        try:
            yield
        except RaygeneError as error:
            error.problem, error.fix = (text.replace(str(copy), str(self.path)) for text in (error.problem, error.fix))
            error.args = error.problem, error.fix
            raise


@dataclass(frozen=True)
class _Here:
    """The directory itself."""

    path: Path

    def pull(self, patterns: Sequence[str]) -> None:
        """Nothing: the files are here."""

    def push(self) -> None:
        """Nothing: the files are there."""


class _Copy:
    """A copy of the directory.

    Args:
        path: of the copy.
        remote: the directory.
        last: as for `WorkerFolder.opened`.
    """

    def __init__(self, path: Path, remote: RemoteFolder, last: Sequence[str]) -> None:
        self.path = path
        self._remote, self._last = remote, last
        self._known: dict[str, list[int]] = {}
        self._lock = threading.Lock()

    def pull(self, patterns: Sequence[str]) -> None:
        if not patterns:
            return
        with self._lock:
            for name, file in self._remote.files(patterns).items():
                if name not in self._known:
                    self._remote.download(name, file, self.path / name)
                    self._known[name] = storage.file_status(self.path / name)

    def push(self) -> None:
        with self._lock:
            present = self._present()
            changed = [name for name, status in present.items() if self._known.get(name) != status]
            for name in sorted(changed, key=lambda name: (_matches(name, self._last), name)):
                # A file that is gone by now is deleted there the next time.
                with suppress(FileNotFoundError):
                    self._remote.upload(self.path / name, name)
                    self._known[name] = present[name]
            gone = [name for name in self._known if name not in present]
            self._remote.delete(gone)
            for name in gone:
                del self._known[name]

    @contextmanager
    def kept_equal(self, watched: Sequence[str], *, continuously: bool) -> Iterator[None]:
        """Send changes at the end, and all the time if `continuously`."""
        ended = threading.Event()
        thread = threading.Thread(target=self._follow, args=(watched, ended), daemon=True, name="worker's folder")
        if continuously:
            thread.start()
        try:
            yield
        except BaseException:
            ended.set()
            # The error says more than one of sending what is left.
            try:
                self.push()
            except RaygeneError as error:
                _log.warning("%s", error)
            raise
        finally:
            ended.set()
            if continuously:
                thread.join()
        self.push()

    def _follow(self, watched: Sequence[str], ended: threading.Event) -> None:
        while not ended.wait(PERIOD_S):
            try:
                self.pull(watched)
                self.push()
            except (RaygeneError, OSError) as error:
                # Who writes a checkpoint meets it too.
                _log.debug("%s", error)

    def _present(self) -> dict[str, list[int]]:
        present = {}
        for path in self.path.rglob("*"):
            if ".partial" in path.suffixes or path.suffix == ".lock" or not path.is_file():
                continue
            with suppress(FileNotFoundError):
                present[path.relative_to(self.path).as_posix()] = storage.file_status(path)
        return present


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


@contextmanager
def _own_directory() -> Iterator[Path]:
    """A new directory in this node's cache, removed at the end; those that killed processes left are removed first."""
    parent = storage.cache_directory() / "worker-folders"
    storage.make_directory(parent)
    for other in parent.iterdir():
        if other.is_dir():
            with suppress(BusyError), storage.only_writer(other):
                shutil.rmtree(other, ignore_errors=True)
    directory = parent / uuid.uuid4().hex
    with storage.only_writer(directory):
        storage.make_directory(directory)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def served(path: Path) -> Iterator[None]:
    """Say that only this node sees a directory, while the context lasts: it is served to workers on other nodes.

    Args:
        path: absolute, of the directory; Ray is connected.
    """
    import ray

    folder = WorkerFolder(path, folder_server.start(path), ray.get_runtime_context().get_node_id())
    _served[path] = folder
    try:
        yield
    finally:
        _served.pop(path, None)
        # Ray may be gone.
        with suppress(Exception):
            ray.kill(folder.server)


def of(path: Path) -> WorkerFolder:
    """A directory as its workers get it.

    Args:
        path: of the directory, or of one in which it is.
    """
    absolute = path.absolute()
    for root, folder in _served.items():
        if absolute.is_relative_to(root):
            return folder.of(absolute)
    return WorkerFolder(absolute)
