"""Which intervals of a dataset are similar, found from files of sketches in passes of bounded memory.

One pass takes a range of hashes at a time and counts the k-mers that pairs of intervals share there; the counts go to
files. Another takes a range of pairs at a time, adds the counts up, and keeps the pairs that share enough. Both are
maps over the cluster where there is more than one range. The ranges depend on the data alone, and so does the result.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import ray_map, storage
from pipelines.splits import kmer_pairs, sketch_files
from pipelines.splits.sketch_files import Records, SketchFiles

# Samples, and counts of pairs, that a task holds at a time.
SAMPLES_IN_TASK = 1 << 21
PAIRS_IN_TASK = 1 << 22
# Of the intervals that have a k-mer, each is paired with so many: as keep all pairs below a number, within bounds.
MIN_PARTNERS, MAX_PARTNERS = 8, 64
PAIRS = 1 << 27
# Occurrences per genome above which a k-mer counts as a repeat.
MAX_OCCURRENCES = 64
# Keys of each file of pairs by which ranges of about equal size are chosen.
_KEYS_OF_FILE = 64
Run = Callable[[list[pa.Table], Callable[[pa.Table], pa.Table]], Iterator[pa.Table]]


def compare(
    sketches: SketchFiles,
    folder: Path,
    sizes: NDArray[np.int32],
    genomes: int,
    keep: Callable[[Records, NDArray[np.int32]], pa.Table],
    parts: NDArray[np.int8] | None = None,
    run: Run = ray_map.map_tables,
) -> Iterator[pa.Table]:
    """Compare intervals by their sketches.

    Args:
        sketches: of all intervals.
        folder: for intermediate files, which are removed; every worker sees it.
        sizes: `sketches.sizes`, shape (intervals,).
        genomes: number of genomes: a gene that occurs once in each of many genomes is no repeat.
        keep: takes pairs with the k-mers that they share, as `kmer_pairs.PAIR`, and `sizes`; returns what to keep.
        parts: what each interval is, as `kmer_pairs.shared` takes it, shape (intervals,).
        run: maps tables.

    Yields:
        What `keep` returns, in any order. Every pair is in one call.
    """
    shutil.rmtree(folder, ignore_errors=True)
    storage.make_directory(folder)
    sketch_files.save(folder / _SIZES, sizes)
    if parts is not None:
        sketch_files.save(folder / _PARTS, parts)
    samples = sketches.samples()
    partners = min(max(PAIRS // max(samples, 1), MIN_PARTNERS), MAX_PARTNERS)
    share = _ShareKmers(sketches, folder, MAX_OCCURRENCES * max(genomes, 1), partners, parts is not None)
    ranges = -(-samples // SAMPLES_IN_TASK) or 1
    tables = [pa.table({"number": [number], "ranges": [ranges]}) for number in range(ranges)]
    files = [path for table in _map(tables, share, run) for path in table["path"].to_pylist()]
    yield from _map(_ranges_of_pairs(folder, sorted(files)), _KeepPairs(folder, sorted(files), keep), run)
    shutil.rmtree(folder)


def in_turn(tables: list[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """Map tables one after the other in this process, where other nodes do not see its files."""
    return map(function, tables)


def required(sizes: NDArray[np.int32], share: float) -> NDArray[np.float64]:
    """k-mers in common that make intervals similar: a share of an interval's own, and two unless it has only one.

    Args:
        sizes: k-mers of each interval, any shape.
        share: of these.

    Returns:
        Shape as given.
    """
    return np.minimum(np.maximum(share * sizes, 2), sizes)


def _map(tables: list[pa.Table], function: Callable[[pa.Table], pa.Table], run: Run) -> Iterator[pa.Table]:
    # A task of its own would cost more than the work of a small dataset.
    return map(function, tables) if len(tables) == 1 else run(tables, function)


def _ranges_of_pairs(folder: Path, files: list[str]) -> list[pa.Table]:
    """Ranges of pairs of about `PAIRS_IN_TASK` counts each, which together are all."""
    keys, counts = [np.empty(0, np.uint64)], 0
    for name in files:
        pairs = sketch_files.open_records(folder / name, kmer_pairs.PAIR)["pair"]
        step = max(len(pairs) // _KEYS_OF_FILE, 1)
        keys.append(np.repeat(pairs[::step], step))
        counts += len(pairs)
    ranges = -(-counts // PAIRS_IN_TASK) or 1
    ordered = np.sort(np.concatenate(keys))
    inner = sorted({int(ordered[len(ordered) * number // ranges]) for number in range(1, ranges)})
    bounds = [0, *inner, (1 << 64) - 1]
    return [
        pa.table({"low": pa.array([low], pa.uint64()), "high": pa.array([high], pa.uint64())})
        for low, high in itertools.pairwise(bounds)
    ]


_SIZES, _PARTS = "sizes.npy", "parts.npy"
_SIZE, _PART = np.dtype(np.int32), np.dtype(np.int8)


@dataclass(frozen=True)
class _ShareKmers:
    """A map from a range of hashes to the files of pairs that share k-mers in it.

    Attributes:
        sketches: of all intervals.
        folder: of the files.
        max_occurrences: a k-mer with more is a repeat.
        partners: with how many intervals that have a k-mer each of them is paired.
        has_parts: whether intervals to evaluate are compared with others.
    """

    sketches: SketchFiles
    folder: Path
    max_occurrences: int
    partners: int
    has_parts: bool

    def __call__(self, table: pa.Table) -> pa.Table:
        names = [name for row in table.to_pylist() for name in self._files(row["number"], row["ranges"])]
        return pa.table({"path": pa.array(names, pa.string())})

    def _files(self, number: int, ranges: int) -> Iterator[str]:
        sizes = sketch_files.open_records(self.folder / _SIZES, _SIZE)
        parts = sketch_files.open_records(self.folder / _PARTS, _PART) if self.has_parts else None
        # A k-mer that no interval to evaluate has pairs none of them.
        samples = self.sketches.part(number, ranges, None if parts is None else parts == kmer_pairs.EVALUATED)
        for piece, records in enumerate(kmer_pairs.shared(samples, sizes, self.max_occurrences, self.partners, parts)):
            name = f"pairs-{number:05d}-{piece:05d}.npy"
            sketch_files.save(self.folder / name, records)
            yield name


@dataclass(frozen=True)
class _KeepPairs:
    """A map from a range of pairs to what is kept of them.

    Attributes:
        folder: of the files.
        files: names of the files of pairs.
        keep: takes pairs with the k-mers that they share, and sizes.
    """

    folder: Path
    files: list[str]
    keep: Callable[[Records, NDArray[np.int32]], pa.Table]

    def __call__(self, table: pa.Table) -> pa.Table:
        sizes = sketch_files.open_records(self.folder / _SIZES, _SIZE)
        return pa.concat_tables([self.keep(self._pairs(row["low"], row["high"]), sizes) for row in table.to_pylist()])

    def _pairs(self, low: int, high: int) -> Records:
        pieces: list[Any] = [np.empty(0, kmer_pairs.PAIR)]
        for name in self.files:
            records = sketch_files.open_records(self.folder / name, kmer_pairs.PAIR)
            pairs = records["pair"]
            pieces.append(records[sketch_files.position(pairs, low) : sketch_files.position(pairs, high)])
        return kmer_pairs.total(np.concatenate(pieces))
