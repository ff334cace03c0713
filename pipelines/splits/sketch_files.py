"""The sketches of a dataset as files, one for each task that made them, read again by ranges of hashes.

A file is sorted by hash, so that a range lies in one piece in every file. Hashes are mixed k-mers (`sketch.mixed`), so
that ranges of equal width have about as many samples each. 12 bytes a sample.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pipelines import storage
from pipelines.errors import StorageError
from pipelines.splits import sketch
from pipelines.splits.sketch import Sketches

SAMPLE = np.dtype([("hash", "<u8"), ("row", "<u4")])
SIZE = np.dtype([("row", "<u4"), ("kmers", "<i4")])
PATTERN = "*.npy"
"""Of the names of the files."""
_HASHES = 1 << 64
# Cells that the hashes of a range are put into, a byte each: twice as many as a range has samples.
_CELL_BITS = 22
Records = NDArray[Any]


def write(folder: Path, task: int, sketches: Sketches) -> int:
    """Write the sketches of a task's intervals; return the number of samples.

    Args:
        folder: holds the files of all tasks.
        task: number of the task.
        sketches: all samples of each interval in it; intervals have numbers below 2^32.
    """
    hashes = sketch.mixed(sketches.hashes)
    order = by_hash_and_row(hashes, sketches.rows)
    hashes, rows = hashes[order], sketches.rows[order]
    samples = np.empty(len(order), SAMPLE)
    samples["hash"], samples["row"] = hashes, rows
    counted, counts = _different(hashes, rows)
    sizes = np.empty(len(counted), SIZE)
    sizes["row"], sizes["kmers"] = counted, counts
    save(_samples_path(folder, task), samples)
    save(_sizes_path(folder, task), sizes)
    return len(samples)


def is_written(folder: Path, task: int) -> bool:
    """Whether the sketches of a task are there, whole."""
    return _sizes_path(folder, task).exists()


@dataclass(frozen=True)
class SketchFiles:
    """The sketches of all intervals of a dataset.

    Attributes:
        folder: holds the files.
        tasks: number of tasks that wrote them, each numbered below that.
    """

    folder: Path
    tasks: int

    def samples(self) -> int:
        """How many samples there are."""
        return sum(len(open_records(_samples_path(self.folder, task), SAMPLE)) for task in range(self.tasks))

    def sizes(self, intervals: int) -> NDArray[np.int32]:
        """Different k-mers in the sketch of each interval, shape (intervals,)."""
        sizes = np.zeros(intervals, np.int32)
        for task in range(self.tasks):
            of_task = open_records(_sizes_path(self.folder, task), SIZE)
            sizes[of_task["row"]] = of_task["kmers"]
        return sizes

    def part(self, number: int, parts: int, of: NDArray[np.bool_] | None = None) -> Records:
        """The samples in one of `parts` equal ranges of hashes, sorted by hash and row, shape (samples,).

        Args:
            number: of the range.
            parts: how many ranges there are.
            of: intervals, shape (intervals,): every sample is there whose hash one of them has, and few others. None:
                all samples.
        """
        low, high = _HASHES * number // parts, _HASHES * (number + 1) // parts
        pieces = []
        for task in range(self.tasks):
            records = open_records(_samples_path(self.folder, task), SAMPLE)
            pieces.append(records[position(records["hash"], low) : position(records["hash"], high)])
        if of is not None:
            pieces = _with_hashes_of(of, pieces, low, high)
        together = np.concatenate([np.empty(0, SAMPLE), *pieces])
        return together[by_hash_and_row(together["hash"].copy(), together["row"])]


def _with_hashes_of(of: NDArray[np.bool_], pieces: list[Records], low: int, high: int) -> list[Records]:
    """The samples of a range of hashes that lie in a cell with a sample of some intervals.

    Pieces are sorted, so that cells are read in the order of memory: far cheaper than sorting all samples.

    Args:
        of: whether each interval is one of these, shape (intervals,).
        pieces: samples sorted by hash.
        low: the first hash of the range.
        high: the hash after the last one.
    """
    shift = np.uint64(max((high - low - 1).bit_length() - _CELL_BITS, 0))
    cells = [((piece["hash"] - np.uint64(low)) >> shift).view(np.int64) for piece in pieces]
    has_one = np.zeros(1 << _CELL_BITS, np.bool_)
    for piece, cell in zip(pieces, cells, strict=True):
        has_one[cell[of[piece["row"]]]] = True
    return [piece[has_one[cell]] for piece, cell in zip(pieces, cells, strict=True)]


def by_hash_and_row(hashes: NDArray[np.uint64], rows: NDArray[Any]) -> NDArray[np.int64]:
    """The order of samples by hash, and of equal hashes by row, shape (samples,).

    Args:
        hashes: spread evenly over 64 bits, shape (samples,).
        rows: shape (samples,).
    """
    # Numbers sort in a third of the time that their order takes: the place goes into the lowest bits of the hash.
    bits = np.uint64(max(len(hashes) - 1, 1).bit_length())
    places = np.uint64((1 << int(bits)) - 1)
    keys = hashes & ~places
    keys |= np.arange(len(hashes), dtype=np.uint64)
    keys.sort()
    order = (keys & places).view(np.int64)
    keys >>= bits
    is_next_equal = keys[1:] == keys[:-1]
    # Sorting by two keys at once takes five to ten times as long: only the few equal ones need it.
    tied = np.flatnonzero(np.append(is_next_equal, False) | np.append(False, is_next_equal))
    if len(tied):
        equal = order[tied]
        order[tied] = equal[np.lexsort((rows[equal], hashes[equal]))]
    return order


def save(path: Path, records: Records) -> None:
    """Write an array to a file that appears by rename."""
    with storage.replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, records)


def open_records(path: Path, dtype: np.dtype[Any]) -> Records:
    """An array of one dimension that `save` wrote, mapped into memory; `np.load` takes 0.5 ms for the header alone.

    Args:
        path: of the file.
        dtype: of the array.

    Raises:
        StorageError: it is not a whole array of that type.
    """
    with path.open("rb") as stream:
        start = len(_header(dtype, 0))
        rows, rest = divmod(os.fstat(stream.fileno()).st_size - start, dtype.itemsize)
        if rest or stream.read(start) != _header(dtype, rows):
            raise StorageError(f"{path}: damaged", "remove the folder that holds it, and run the same command again")
        if not rows:
            return np.empty(0, dtype)
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapped, dtype, rows, start)


def _header(dtype: np.dtype[Any], rows: int) -> bytes:
    """What stands before an array of one dimension in a file that `save` wrote; of equal length for all `rows`."""
    stream = BytesIO()
    description = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows,)}
    npy.write_array_header_1_0(stream, description)
    return stream.getvalue()


def position(ascending: NDArray[np.uint64], value: int) -> int:
    """The first index of a mapped array at which a value of at least `value` is; reads few of its pages."""
    return bisect_left(ascending, value, key=int)


def begins_run(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each row of sorted columns differs from the one before, shape (rows,)."""
    begins = np.ones(len(columns[0]), np.bool_)
    begins[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return begins


def _different(hashes: NDArray[np.uint64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The intervals with a sample, ascending, and how many different ones each has.

    Args:
        hashes: sorted by hash and row, shape (samples,).
        rows: those of one task lie close together, shape (samples,).
    """
    first = int(rows.min()) if len(rows) else 0
    counts = np.bincount(rows - first)
    again = np.flatnonzero(hashes[1:] == hashes[:-1])
    again = again[rows[again] == rows[again + 1]]
    counts -= np.bincount(rows[again] - first, minlength=len(counts))
    counted = np.flatnonzero(counts)
    return counted + first, counts[counted]


def _samples_path(folder: Path, task: int) -> Path:
    return folder / f"{task:05d}.samples.npy"


def _sizes_path(folder: Path, task: int) -> Path:
    return folder / f"{task:05d}.sizes.npy"
