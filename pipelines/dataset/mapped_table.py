"""Tables in files that are mapped into memory, so that a process holds as little of them as it works on.

The system reads pages as they are needed and drops them where memory is short.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from pipelines import storage


def write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> pa.Table:
    """Write tables one after the other, and return all of them as one that is mapped from the file.

    Args:
        path: of the file; it may be removed while the table is in use, but not changed.
        schema: of the tables.
        tables: taken one at a time.

    Raises:
        StorageError: the file cannot be written, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A build that was killed may have left one.
        path.unlink(missing_ok=True)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for table in tables:
                writer.write_table(table.combine_chunks())
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except OSError as error:
        raise storage.write_error(path, error) from error
