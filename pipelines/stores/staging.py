"""A folder that tasks on many nodes fill, each with files of its own and a record of them.

It is a local directory, or a folder of a store: then a task writes into a directory of its node, and its files are put
to the store when it ends, the record last. A record that is there stands for a finished task.
"""

from __future__ import annotations

import fnmatch
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines import storage
from pipelines.stores import cache_room
from pipelines.stores.store import Store, each

RECORDS = ".records"
"""The folder of the records, and of what else is needed only until all tasks are done."""


@dataclass(frozen=True)
class Staging:
    """The folder.

    Attributes:
        path: of the directory; where there is a store, one on the driver's node, for what only the driver needs.
        store: the folder of a store; None for a local directory.
    """

    path: Path
    store: Store | None = None

    def __str__(self) -> str:
        return str(self.store or self.path)

    def read_record(self, name: str) -> str | None:
        """A record, by its name; None if its task has not finished."""
        if self.store is not None:
            content = self.store.read_if_present(f"{RECORDS}/{name}")
            return None if content is None else content.decode()
        path = self.path / RECORDS / name
        return path.read_text(encoding="utf-8") if path.exists() else None

    @contextmanager
    def task_folder(self) -> Iterator[Path]:
        """The directory into which a task writes its files, under their names; they are kept if the context ends well.

        Where there is a store, nothing of another task is in it.
        """
        if self.store is None:
            yield self.path
            return
        with node_folder() as folder:
            yield folder
            put_all(self.store, folder)

    def write_record(self, name: str, text: str) -> None:
        """Keep a record, once the files of its task are kept."""
        if self.store is not None:
            self.store.write(f"{RECORDS}/{name}", text.encode())
        else:
            storage.write_text(self.path / RECORDS / name, text)

    def fetch(self, pattern: str) -> list[Path]:
        """Local paths of what tasks left in the folder of the records, sorted by name; files that are here stay.

        Args:
            pattern: of the names, such as `*.npz`.
        """
        records = self.path / RECORDS
        if self.store is not None:
            stored = self.store.folder(RECORDS)
            files = {name: file for name, file in stored.list().items() if fnmatch.fnmatch(name, pattern)}
            missing = [name for name, file in files.items() if not _has_size(records / name, file.size)]
            each(lambda name: stored.download(name, records / name), missing)
            return [records / name for name in sorted(files)]
        return sorted(records.glob(pattern))


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def put_all(store: Store, folder: Path) -> None:
    """Put every file of a directory and the directories in it, under its name, in the order in which they were written.

    So one whose presence says that others are there comes after these.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        store.upload(path, path.relative_to(folder).as_posix())


@contextmanager
def node_folder() -> Iterator[Path]:
    """A new directory in this node's cache, which is removed with everything in it."""
    parent = storage.cache_directory() / "staging"
    storage.make_directory(parent)
    # What killed workers left.
    cache_room.make_room(parent, limit=0)
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
