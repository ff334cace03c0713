"""One column of numbers as an Arrow file with a single record batch, written in pieces and mapped as one array.

Arrow writes a record batch from one contiguous buffer. It gets a placeholder of the right size, which is never touched,
and the pieces are written to disk in place of it: writing needs the memory of one piece, whatever the length of the
column. Mapping copies nothing, and a column may have more than 2^31 values.
"""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

COLUMN = "values"


def write(path: Path, kind: pa.DataType, count: int, pieces: Iterable[NDArray[Any]]) -> None:
    """Write a file and wait until it is on disk.

    Args:
        path: the file; an existing one is overwritten.
        kind: an Arrow type of fixed width.
        count: total number of values, at least one.
        pieces: the values in order, in arrays of any length.

    Raises:
        OSError: it cannot be written, or the disk is full.
        ValueError: the pieces do not add up to `count`.
    """
    size = count * kind.bit_width // 8
    # Pages of an anonymous mapping that nobody reads take no memory.
    placeholder = pa.py_buffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ))
    values = pa.Array.from_buffers(kind, count, [None, placeholder], null_count=0)
    batch = pa.record_batch([values], names=[COLUMN])
    with path.open("wb") as stream:
        sink = _Sink(stream, placeholder, (np.asarray(piece, _dtype(kind)) for piece in pieces))
        options = pa.ipc.IpcWriteOptions(allow_64bit=True)
        with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), batch.schema, options=options) as writer:
            writer.write_batch(batch)
        sync_to_disk(stream)
    if sink.written != size:
        raise ValueError(f"{sink.written} bytes of values instead of {size}")


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
    """Writes what Arrow writes, with the pieces in place of the placeholder.

    Attributes:
        written: bytes of pieces written so far.
    """

    def __init__(self, stream: IO[bytes], placeholder: pa.Buffer, pieces: Iterable[NDArray[Any]]) -> None:
        super().__init__()
        self.written = 0
        self._stream, self._address, self._pieces = stream, placeholder.address, pieces

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        buffer = pa.py_buffer(data)
        if buffer.address != self._address:
            return self._stream.write(buffer)
        for piece in self._pieces:
            self.written += self._stream.write(np.ascontiguousarray(piece).data)
        return buffer.size
