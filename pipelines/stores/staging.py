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
from pipelines.stores.store import Store, each

RECORDS = ".records"
"""The folder of the records, and of what else is needed only until all tasks are done."""


@dataclass(frozen=True)
class Staging:
    """The folder.

    Attributes:
        path: of the directory; not used where there is a store.
        store: the folder of a store; None for a local directory.
    """

    path: Path = Path()
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

    def write_record(self, folder: Path, name: str, text: str) -> None:
        """Keep the files that a task has written, and then its record.

        Args:
            folder: of `task_folder`.
            name: of the record.
            text: the record.
        """
        if self.store is not None:
            put_all(self.store, folder)
            self.store.write(f"{RECORDS}/{name}", text.encode())
        else:
            storage.write_text(folder / RECORDS / name, text)

    @contextmanager
    def task_folder(self) -> Iterator[Path]:
        """The directory into which a task writes its files, under their names; nothing of another task is in it."""
        if self.store is None:
            yield self.path
            return
        with node_folder() as folder:
            yield folder

    @contextmanager
    def records(self, pattern: str) -> Iterator[list[Path]]:
        """Local paths of what tasks left in the folder of the records, sorted by name; they last as the context does.

        Args:
            pattern: of the names, such as `*.npz`.
        """
        if self.store is None:
            yield sorted((self.path / RECORDS).glob(pattern))
            return
        names = sorted(name for name in self.store.folder(RECORDS).list() if fnmatch.fnmatch(name, pattern))
        with node_folder() as folder:
            store = self.store
            each(lambda name: store.download(f"{RECORDS}/{name}", folder / name), names)
            yield [folder / name for name in names]


def put_all(store: Store, folder: Path) -> None:
    """Put every file of a directory and the directories in it, under its name."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    each(lambda path: store.upload(path, path.relative_to(folder).as_posix()), paths)


@contextmanager
def node_folder() -> Iterator[Path]:
    """A new directory in this node's cache, which is removed with everything in it."""
    parent = storage.cache_directory() / "staging"
    storage.make_directory(parent)
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
