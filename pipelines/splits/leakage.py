"""How many intervals of one split have a near-duplicate, or a similar interval, in another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import ray_map
from pipelines.splits import kmer_pairs, similar, sketch
from pipelines.splits.sketch_files import Records, SketchFiles

# Share of an interval's sampled k-mers that a near-duplicate has: 97 % of the bases are the same.
NEAR = 0.5
# Matches per base of similar intervals, as `split.identity` has it unless it is set.
SIMILAR_IDENTITY = 0.9


@dataclass(frozen=True)
class Leakage:
    """How many intervals of one split have a near-duplicate, or a similar interval, in another.

    Attributes:
        evaluated: intervals with at least one sampled k-mer.
        near: those that have at least the share `NEAR` of their sampled k-mers in common with one interval of the other
            split.
        similar: those that have as many in common as intervals of the identity `SIMILAR_IDENTITY` have.
    """

    evaluated: int
    near: int
    similar: int


def measure(
    sketches: SketchFiles,
    folder: Path,
    is_evaluated: NDArray[np.bool_],
    is_other: NDArray[np.bool_],
    genomes: int,
    run: similar.Run = ray_map.map_tables,
) -> Leakage:
    """Measure how many of some intervals are like one of others; arguments as of `alike`."""
    near, similar_ones = alike(sketches, folder, is_evaluated, is_other, genomes, run)
    evaluated = int((sketches.sizes(len(is_evaluated))[is_evaluated] > 0).sum())
    return Leakage(evaluated, int(near.sum()), int(similar_ones.sum()))


def alike(
    sketches: SketchFiles,
    folder: Path,
    is_evaluated: NDArray[np.bool_],
    is_other: NDArray[np.bool_],
    genomes: int,
    run: similar.Run = ray_map.map_tables,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the intervals that are like one of others.

    Args:
        sketches: of all intervals.
        folder: for intermediate files, which are removed; every worker sees it.
        is_evaluated: the intervals to evaluate, shape (intervals,).
        is_other: those that they are compared with, shape (intervals,).
        genomes: number of genomes that they come from.
        run: maps tables.

    Returns:
        Whether each interval is one to evaluate and has a near-duplicate among the others; and whether it has a similar
        one. Both of shape (intervals,).
    """
    parts = np.full(len(is_evaluated), kmer_pairs.NEITHER, np.int8)
    parts[is_other], parts[is_evaluated] = kmer_pairs.OTHER, kmer_pairs.EVALUATED
    sizes = sketches.sizes(len(parts))
    near, similar_ones = np.zeros(len(parts), np.bool_), np.zeros(len(parts), np.bool_)
    for table in similar.compare(sketches, folder, sizes, genomes, _keep_alike, parts, run):
        rows = table["row"].to_numpy()
        similar_ones[rows] = True
        near[rows[table["is_near"].to_numpy()]] = True
    return near, similar_ones


def _keep_alike(records: Records, sizes: NDArray[np.int32]) -> pa.Table:
    """Keep the intervals that have a similar one, and whether it is a near-duplicate."""
    rows, _ = kmer_pairs.rows_of(records["pair"])
    is_near = records["kmers"] >= similar.required(sizes[rows], NEAR)
    is_similar = records["kmers"] >= similar.required(sizes[rows], sketch.shared_kmers(SIMILAR_IDENTITY))
    similar_rows, near_rows = np.unique(rows[is_similar]), np.unique(rows[is_near])
    return pa.table({"row": similar_rows, "is_near": np.isin(similar_rows, near_rows)})
