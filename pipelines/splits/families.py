"""Families of intervals: those that overlap or are similar, directly or through others, in all genomes.

A split by family keeps each family in one split. Similarity is estimated from sketches; memory is that of the sampled
k-mers and of the similar pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipelines.splits import sketch
from pipelines.splits.sketch import Sketches

Numbers = NDArray[np.int64]


def similar_groups(sketches: Sketches, intervals: int, genomes: int, identity: float) -> Numbers:
    """The group of each interval; intervals that are similar, directly or through others, share one.

    Args:
        sketches: of all intervals; its rows are 0 to intervals - 1.
        intervals: number of intervals.
        genomes: number of genomes that they come from.
        identity: matches per base at which two intervals are similar, estimated from the share of the k-mers of one
            that the other has.

    Returns:
        Numbers from 0, shape (intervals,).
    """
    repeated = sketch.repeated_kmers(sketches, genomes)
    pairs = list(sketch.similar_pairs(sketches, sketches, repeated, sketch.shared_kmers(identity)))
    first, second = (np.concatenate([pair[side] for pair in pairs] or [_NONE]) for side in (0, 1))
    return _connected_components(first, second, intervals)


def merge_groups(groups: Numbers, others: Numbers) -> Numbers:
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


_NONE = np.empty(0, np.int64)


def _connected_components(first: Numbers, second: Numbers, nodes: int) -> Numbers:
    """The component of each node of a graph with an edge between each first and second node; shape (nodes,)."""
    graph = coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1].astype(np.int64)
