"""Families of intervals: those that overlap or are similar, directly or through others, in all genomes.

A split by family keeps each family in one split. Similarity is estimated from sketches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import ray_map
from pipelines.splits import kmer_pairs, similar, sketch
from pipelines.splits.sketch_files import Records, SketchFiles

REVISION = 2
"""Incremented whenever the same intervals may have other families."""
# Pairs of similar intervals that are waited for before the groups that they connect are merged.
_MIN_PAIRS = 1 << 20
Numbers = NDArray[np.int64]


def similar_groups(
    sketches: SketchFiles,
    folder: Path,
    intervals: int,
    genomes: int,
    identity: float,
    run: similar.Run = ray_map.map_tables,
) -> Numbers:
    """The group of each interval; intervals that are similar, directly or through others, share one.

    Args:
        sketches: of all intervals; its rows are 0 to intervals - 1.
        folder: for intermediate files, which are removed; every worker sees it.
        intervals: number of intervals.
        genomes: number of genomes that they come from.
        identity: matches per base at which two intervals are similar, estimated from the share of the k-mers of one
            that the other has.
        run: maps tables.

    Returns:
        Numbers from 0 in the order of each group's first interval, shape (intervals,).
    """
    groups = np.arange(intervals, dtype=np.int32)
    waiting: list[pa.Table] = []
    kept = _KeepSimilar(sketch.shared_kmers(identity))
    for table in similar.compare(sketches, folder, sketches.sizes(intervals), genomes, kept, run=run):
        waiting.append(table)
        # A merge passes over all intervals, so it is worth about as many pairs.
        if sum(map(len, waiting)) > max(intervals // 4, _MIN_PAIRS):
            groups, waiting = _merged(groups, waiting), []
    return _numbered(_merged(groups, waiting))


def merge_groups(groups: NDArray[np.integer], others: NDArray[np.integer]) -> Numbers:
    """Merge two groupings: intervals that share a group of either kind, directly or through others, share one.

    Args:
        groups: numbers from 0, shape (intervals,).
        others: numbers from 0, shape (intervals,).

    Returns:
        Numbers from 0, shape (intervals,).
    """
    # A graph of groups: each interval connects its group of one kind with its group of the other.
    offset = int(groups.max(initial=-1)) + 1
    return _connected_components(groups, others + offset, offset + int(others.max(initial=-1)) + 1)[groups]


@dataclass(frozen=True)
class _KeepSimilar:
    """Keeps the pairs of which one interval has enough of its k-mers in the other, as a forest: no more than intervals.

    Attributes:
        share: of an interval's k-mers that is enough.
    """

    share: float

    def __call__(self, records: Records, sizes: NDArray[np.int32]) -> pa.Table:
        first, second = kmer_pairs.rows_of(records["pair"])
        # Of two intervals the smaller one needs fewer.
        is_similar = records["kmers"] >= similar.required(np.minimum(sizes[first], sizes[second]), self.share)
        rows, numbers = np.unique(np.concatenate([first[is_similar], second[is_similar]]), return_inverse=True)
        pairs = np.split(numbers, 2)
        groups = _connected_components(pairs[0], pairs[1], len(rows))
        _, roots = np.unique(groups, return_index=True)
        root = rows[roots[groups]] if len(rows) else rows
        return pa.table({"first": root[root != rows], "second": rows[root != rows]})


def _merged(groups: NDArray[np.int32], pairs: list[pa.Table]) -> NDArray[np.int32]:
    """Merge the groups of intervals that are pairs; numbers from 0, shape (intervals,)."""
    first, second = (
        groups[np.concatenate([table[side].to_numpy() for table in pairs])] if pairs else groups[:0]
        for side in ("first", "second")
    )
    return _connected_components(first, second, int(groups.max(initial=-1)) + 1)[groups].astype(np.int32)


def _numbered(groups: NDArray[np.int32]) -> Numbers:
    """Number groups from 0 in the order of each one's first interval."""
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return order[number]


def _connected_components(first: NDArray[np.integer], second: NDArray[np.integer], nodes: int) -> Numbers:
    """The component of each node of a graph with an edge between each first and second node; shape (nodes,)."""
    # Here, because every verb that reads sequences imports this module, and few split by family.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1].astype(np.int64)
