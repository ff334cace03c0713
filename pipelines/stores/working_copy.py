"""A folder of a store with a copy on this node: read and written as local files, and put back.

For folders that a process changes over a long time: runs, studies, results. The store is what counts: `pull` makes the
copy equal to it, and `push` puts what has changed since. The copy lies in the cache, under a name that follows from the
address, so that a process that takes up the work of a killed one fetches only what differs.
"""

from __future__ import annotations

import fnmatch
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import fingerprint, storage
from pipelines.stores import cache_room, lease
from pipelines.stores.store import Store, each

_INDEX = ".raygene-copy.json"


@dataclass
class WorkingCopy:
    """A folder of a store and its copy.

    Attributes:
        store: the folder.
        path: of the copy, a directory.
        last: patterns of the names of files that say that others are complete, such as `manifest.json`: they are put
            after all others, in this order, and what is gone is deleted after them.
        skip: patterns of the names of files that stay on this node, such as locks.
    """

    store: Store
    path: Path
    last: Sequence[str] = ()
    skip: Sequence[str] = ()
    _files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def pull(self, wanted: Callable[[str], bool] = lambda name: True) -> list[str]:
        """Make the copy equal to the folder; return the names of the files that were fetched.

        Files that are only here are removed: whoever wrote them did not get to put them.

        Args:
            wanted: which files, by name; others are left as they are, here and there.

        Raises:
            StorageError: the store cannot be read, or the disk is full.
        """
        self._files = self._read_index()
        stored = {name: file for name, file in self.store.list().items() if not self._stays(name) and wanted(name)}
        for name in self._names():
            if name not in stored and wanted(name):
                (self.path / name).unlink(missing_ok=True)
                self._files.pop(name, None)
        missing = [name for name, file in stored.items() if not self._has(name, file.version)]

        def fetch(name: str) -> None:
            self.store.download(name, self.path / name)
            self._files[name] = {"version": stored[name].version, "status": storage.file_status(self.path / name)}

        storage.make_directory(self.path)
        _remove_unused(self.path)
        try:
            each(fetch, missing)
        finally:
            self._write_index()
        return missing

    def push(self, wanted: Callable[[str], bool] = lambda name: True, *, delete: bool = True) -> list[str]:
        """Put the files that have changed, those of `last` after the others; return their names.

        A file that is removed meanwhile, such as an old checkpoint, is left out.

        Args:
            wanted: which files, by name.
            delete: whether files of the folder that are no longer here are deleted there.

        Raises:
            StorageError: the store cannot be written.
        """
        local = self._statuses(wanted)
        changed = [name for name, status in local.items() if self._files.get(name, {}).get("status") != status]

        def put(name: str) -> None:
            try:
                self.store.upload(self.path / name, name)
            except FileNotFoundError:
                return
            stored = self.store.find(name)
            self._files[name] = {"version": stored.version if stored else "", "status": local[name]}

        marks = [name for pattern in self.last for name in changed if fnmatch.fnmatch(name, pattern)]
        try:
            each(put, [name for name in changed if name not in marks])
            for name in dict.fromkeys(marks):
                put(name)
            if delete:
                gone = [name for name in self._files if name not in local and wanted(name)]
                self.store.delete(gone)
                for name in gone:
                    del self._files[name]
        finally:
            self._write_index()
        cache_room.use(self.path)
        return changed

    def remove(self) -> None:
        """Remove the copy; the folder stays."""
        shutil.rmtree(self.path, ignore_errors=True)
        _index_path(self.path).unlink(missing_ok=True)

    def _statuses(self, wanted: Callable[[str], bool]) -> dict[str, list[int]]:
        statuses = {}
        for name in self._names():
            if wanted(name):
                with suppress(FileNotFoundError):
                    statuses[name] = storage.file_status(self.path / name)
        return statuses

    def _names(self) -> list[str]:
        paths = (path for path in self.path.rglob("*") if path.is_file())
        names = sorted(path.relative_to(self.path).as_posix() for path in paths)
        return [name for name in names if not self._stays(name)]

    def _stays(self, name: str) -> bool:
        own = name.rpartition("/")[2] == lease.NAME or name.endswith(".partial")
        return own or any(fnmatch.fnmatch(name, pattern) for pattern in self.skip)

    def _has(self, name: str, version: str) -> bool:
        entry = self._files.get(name)
        if entry is None:
            return False
        try:
            return entry["version"] == version and entry["status"] == storage.file_status(self.path / name)
        except OSError:
            return False

    def _read_index(self) -> dict[str, dict[str, Any]]:
        try:
            document = json.loads(_index_path(self.path).read_text(encoding="utf-8"))
            return {str(name): dict(entry) for name, entry in document.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _write_index(self) -> None:
        storage.write_text(_index_path(self.path), json.dumps(self._files))


def _remove_unused(path: Path) -> None:
    """Remove what killed commands left for those that never came, where there is more than the cache may hold."""
    cache_room.use(path)
    cache_room.make_room(path.parent, keep=path)
    for index in path.parent.glob(f"*{_INDEX}"):
        if not index.with_name(index.name.removesuffix(_INDEX)).exists():
            index.unlink(missing_ok=True)


def _index_path(path: Path) -> Path:
    return path.with_name(f"{path.name}{_INDEX}")


def copy_path(store: Store) -> Path:
    """The directory of a store's copy on this node."""
    return storage.cache_directory() / "copies" / fingerprint.of_value([store.address])[:24]


@contextmanager
def opened(store: Store, last: Sequence[str] = (), skip: Sequence[str] = ()) -> Iterator[WorkingCopy]:
    """Hold a folder of a store, fetch it, and put what has changed when the context ends, by an error or without.

    The copy is removed unless that fails; then it stays in the cache, from which the next process resumes.

    Raises:
        BusyError: another process writes the folder.
        StorageError: the store cannot be read or written.
    """
    with lease.hold(store) as held, storage.only_writer(copy_path(store)):
        copy = WorkingCopy(store, copy_path(store), last, skip)
        copy.pull()
        try:
            yield copy
        finally:
            held.check()
            copy.push()
        copy.remove()
