"""Families: intervals that overlap or are similar, of all genomes, directly or through others.

For splits that part no family. Similarity is told by sketches; memory is that of the sampled k-mers and of the couples found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipelines.splits import sketch
from pipelines.splits.sketch import Sketches

Numbers = NDArray[np.int64]


def alike(found: Sketches, intervals: int, genomes: int, identity: float) -> Numbers:
    """A number for each interval, equal for similar ones, directly or through others.

    Args:
        found: of all intervals; its rows are 0 to intervals - 1.
        intervals: how many there are.
        genomes: how many they come from.
        identity: matches per base at which two are similar, by the k-mers that the shorter has in the other.

    Returns:
        Shape (intervals,).
    """
    couples = list(sketch.couples(found, found, sketch.repeats(found, genomes), sketch.share_of(identity)))
    ours, theirs = (np.concatenate([couple[side] for couple in couples] or [_NONE]) for side in (0, 1))
    return _connected(ours, theirs, intervals)


def joined(some: Numbers, others: Numbers) -> Numbers:
    """A number for each interval, equal where either of two groupings says so, directly or through others.

    Args:
        some: numbers from 0, shape (intervals,).
        others: numbers from 0, shape (intervals,).
    """
    first = int(some.max(initial=-1)) + 1
    return _connected(some, others + first, first + int(others.max(initial=-1)) + 1)[some]


_NONE = np.empty(0, np.int64)


def _connected(ours: Numbers, theirs: Numbers, nodes: int) -> Numbers:
    graph = coo_array((np.ones(len(ours), np.bool_), (ours, theirs)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1].astype(np.int64)
