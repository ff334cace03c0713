"""One column of numbers as an Arrow file with a single record batch: written piece by piece, mapped as one array.

Arrow writes a record batch out of one stretch of memory. It is shown untouched pages of the right size, and what goes to
disk in their place are the pieces as they come: writing takes the memory of one piece, whatever the length of the column.
Mapping copies nothing; a length past 2^31 is as good as any other.
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
        path: replaced if it is there.
        kind: a type of fixed width.
        count: values in all, at least one.
        pieces: the values in order, each of any length.

    Raises:
        OSError: it cannot be written, or the disk is full.
        ValueError: the pieces do not add up to `count`.
    """
    size = count * kind.bit_width // 8
    shown = pa.py_buffer(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ))
    values = pa.Array.from_buffers(kind, count, [None, shown], null_count=0)
    batch = pa.record_batch([values], names=[COLUMN])
    with path.open("wb") as stream:
        sink = _Sink(stream, shown, (np.asarray(piece, _dtype(kind)) for piece in pieces))
        options = pa.ipc.IpcWriteOptions(allow_64bit=True)
        with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), batch.schema, options=options) as writer:
            writer.write_batch(batch)
        settle(stream)
    if sink.laid != size:
        raise ValueError(f"{sink.laid} bytes of values instead of {size}")


def settle(stream: IO[bytes]) -> None:
    """Wait until what was written is on disk, so that a name given afterwards never stands for less."""
    stream.flush()
    os.fsync(stream.fileno())


def read(path: Path) -> NDArray[Any]:
    """The values, mapped: a read-only view of the file's pages, shape (count,).

    Raises:
        OSError: missing.
        pyarrow.ArrowException: cut off, or not such a file.
        ValueError: not a single column in a single record batch.
    """
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    if reader.num_record_batches != 1 or reader.schema.names != [COLUMN]:
        raise ValueError(f"{path}: not one column in one record batch")
    values = reader.get_batch(0).column(0)
    # Not by `to_numpy`, which imports pandas: 0.2 s and 29 MB in every worker.
    return np.frombuffer(values.buffers()[1], _dtype(values.type), len(values))


def _dtype(kind: pa.DataType) -> np.dtype[Any]:
    return np.dtype(str(kind))


class _Sink(io.RawIOBase):
    """Passes on what Arrow writes, but the pieces instead of the buffer that stands for them."""

    def __init__(self, stream: IO[bytes], stands_for: pa.Buffer, pieces: Iterable[NDArray[Any]]) -> None:
        super().__init__()
        self.laid = 0
        self._stream, self._address, self._pieces = stream, stands_for.address, pieces

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        given = pa.py_buffer(data)
        if given.address != self._address:
            return self._stream.write(given)
        for piece in self._pieces:
            self.laid += self._stream.write(np.ascontiguousarray(piece).data)
        return given.size
