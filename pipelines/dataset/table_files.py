"""Tables in files of a build, one for each task that wrote it, mapped into memory.

The system reads pages as they are needed and drops them where memory is short, so that a process holds as little of
the tables as it works on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import pyarrow as pa

from pipelines import storage
from pipelines.stores.staging import RECORDS, Staging

_LARGEST = 1 << 40
"""Bytes of a file; it has the rows of a chromosome, or of some."""


@dataclass(frozen=True)
class TableFiles(Sequence[pa.Table]):
    """A sequence of tables, each read from its file whenever it is taken.

    Attributes:
        staging: the folder that the files lie in, among its records.
        names: of the files.
    """

    staging: Staging
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, number: int) -> pa.Table: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[pa.Table]: ...

    def __getitem__(self, number: int | slice) -> pa.Table | Sequence[pa.Table]:
        if isinstance(number, slice):
            return TableFiles(self.staging, self.names[number])
        return read(self.staging, self.names[number])


def write(folder: Path, name: str, table: pa.Table) -> None:
    """Write a table to a file that appears by rename.

    Args:
        folder: of a task, as `Staging.task_folder` gives it.
        name: of the file.
        table: a chunk of its columns or several.

    Raises:
        StorageError: the file cannot be written, or the disk is full.
    """
    path = folder / RECORDS / name
    with storage.replacing(path) as temporary:
        try:
            save(temporary, table)
        except OSError as error:
            raise storage.write_error(path, error) from error


def save(path: Path, table: pa.Table) -> None:
    """Write a table in one piece, for `opened`."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())


def opened(path: Path) -> pa.Table:
    """A table mapped from its file, which may be removed while the table is in use, but not changed."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def read(staging: Staging, name: str) -> pa.Table:
    """A table that a task has written: mapped from its file, or in memory on a node where a store has the file."""
    path = staging.path / RECORDS / name
    if staging.store is None or path.exists():
        return opened(path)
    content = staging.store.read(f"{RECORDS}/{name}", _LARGEST)
    return pa.ipc.open_file(pa.BufferReader(content)).read_all()
