"""One column of numbers as an Arrow file with a single record batch, written in pieces and mapped as one array.

Arrow writes a record batch from one contiguous buffer. It gets a placeholder of the right size, which is never touched,
and leaves a gap in the file where that would be. Pieces are written into the gap, in any order and by several threads
at once: writing needs the memory of these pieces, whatever the length of the column. Mapping copies nothing, and a
column may have more than 2^31 values.
"""

from __future__ import annotations

import io
import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

COLUMN = "values"


class ColumnFile:
    """A file whose values are being written; made by `create`.

    Args:
        stream: of the file.
        position: of the first value in it.
        count: of all values.
        dtype: of a value.
    """

    def __init__(self, stream: IO[bytes], position: int, count: int, dtype: np.dtype[Any]) -> None:
        self._stream, self._position, self._count, self._dtype = stream, position, count, dtype
        self._written, self._lock = 0, threading.Lock()

    def put(self, first: int, values: NDArray[Any]) -> None:
        """Write values to their place.

        Args:
            first: place of the first one in the column.
            values: shape (values,).

        Raises:
            OSError: they cannot be written, or the disk is full.
            ValueError: the column ends before them.
        """
        if first + len(values) > self._count:
            raise ValueError(f"{first + len(values)} values instead of {self._count}")
        data = np.ascontiguousarray(values, self._dtype).view(np.uint8).data
        position = self._position + first * self._dtype.itemsize
        while data:
            written = os.pwrite(self._stream.fileno(), data, position)
            data, position = data[written:], position + written
        with self._lock:
            self._written += len(values)

    def require_whole(self) -> None:
        """Refuse a column of which values are missing.

        Raises:
            ValueError: there were others than `count`.
        """
        if self._written != self._count:
            raise ValueError(f"{self._written} values instead of {self._count}")


@contextmanager
def create(path: Path, kind: pa.DataType, count: int) -> Iterator[ColumnFile]:
    """Create a file whose values are written within the context, and wait until it is on disk.

    Args:
        path: the file; an existing one is overwritten.
        kind: an Arrow type of fixed width.
        count: total number of values, at least one.

    Raises:
        OSError: it cannot be written, or the disk is full.
        ValueError: other than `count` values were put.
    """
    size = count * kind.bit_width // 8
    # Pages of an anonymous mapping that nobody reads take no memory.
    placeholder = pa.py_buffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ))
    values = pa.Array.from_buffers(kind, count, [None, placeholder], null_count=0)
    batch = pa.record_batch([values], names=[COLUMN])
    with path.open("wb") as stream:
        sink = _Sink(stream, placeholder)
        options = pa.ipc.IpcWriteOptions(allow_64bit=True)
        with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), batch.schema, options=options) as writer:
            writer.write_batch(batch)
        stream.flush()
        column = ColumnFile(stream, sink.position, count, _dtype(kind))
        yield column
        column.require_whole()
        sync_to_disk(stream)


def write(path: Path, kind: pa.DataType, count: int, pieces: Iterable[NDArray[Any]]) -> None:
    """Write values in order, in arrays of any length; arguments and errors as of `create`."""
    first = 0
    with create(path, kind, count) as column:
        for piece in pieces:
            column.put(first, piece)
            first += len(piece)


def sync_to_disk(stream: IO[bytes]) -> None:
    """Wait until everything written is on disk, so that a file renamed afterwards is complete even after a crash."""
    stream.flush()
    os.fsync(stream.fileno())


def read(path: Path) -> NDArray[Any]:
    """The values, mapped: a read-only view of the file's pages, shape (count,).

    Raises:
        OSError: missing.
        pyarrow.ArrowException: truncated, or not an Arrow file.
        ValueError: not a single column in a single record batch.
    """
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    if reader.num_record_batches != 1 or reader.schema.names != [COLUMN]:
        raise ValueError(f"{path}: not one column in one record batch")
    values = reader.get_batch(0).column(0)
    # `to_numpy` would import pandas: 0.2 s and 29 MB in every worker.
    return np.frombuffer(values.buffers()[1], _dtype(values.type), len(values))


def _dtype(kind: pa.DataType) -> np.dtype[Any]:
    return np.dtype(str(kind))


class _Sink(io.RawIOBase):
    """Writes what Arrow writes, with a gap in place of the placeholder.

    Attributes:
        position: of the gap.
    """

    def __init__(self, stream: IO[bytes], placeholder: pa.Buffer) -> None:
        super().__init__()
        self.position = 0
        self._stream, self._address = stream, placeholder.address

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        buffer = pa.py_buffer(data)
        if buffer.address != self._address:
            return self._stream.write(buffer)
        self.position = self._stream.tell()
        self._stream.seek(buffer.size, os.SEEK_CUR)
        return buffer.size
