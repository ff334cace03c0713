"""Interval arithmetic on arrays of shape (n, 2): 0-based half-open start and end on one chromosome.

Every function is a sort or a binary search, n log n.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Intervals = NDArray[np.int64]
FEW = 16
"""Intervals that are not worth a merge, of which an assembly may have many thousand sequences."""


def empty() -> Intervals:
    """No intervals, shape (0, 2)."""
    return np.empty((0, 2), np.int64)


def merge(intervals: Intervals) -> Intervals:
    """The union as sorted intervals that neither overlap nor touch, shape (m, 2)."""
    if len(intervals) == 0:
        return empty()
    ordered = intervals[np.argsort(intervals[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ordered[:, 1])
    opens = np.append(True, ordered[1:, 0] > reach[:-1])
    starts = ordered[opens, 0]
    ends = reach[np.append(opens[1:], True)]
    return np.stack([starts, ends], axis=1)


def merge_each(stranded: Intervals) -> Intervals:
    """The union of the intervals of each strand, by `merge`; a few intervals are returned as they are.

    Args:
        stranded: start, end and strand, shape (n, 3).

    Returns:
        Shape (m, 3).
    """
    if len(stranded) <= FEW:
        return stranded
    merged = [(strand, merge(stranded[stranded[:, 2] == strand, :2])) for strand in (-1, 0, 1)]
    return np.concatenate([np.pad(own, ((0, 0), (0, 1)), constant_values=strand) for strand, own in merged])


def widen(intervals: Intervals, flank: int, length: int) -> Intervals:
    """Every interval with `flank` more bases on both sides, clipped to [0, length). Shape as given."""
    return np.stack([np.maximum(intervals[:, 0] - flank, 0), np.minimum(intervals[:, 1] + flank, length)], axis=1)


def within(annotated: Intervals, length: int, *, is_circular: bool) -> Intervals:
    """Annotated intervals clipped to [0, length); what reaches past the end of a circle continues at its beginning.

    GFF3 writes a feature across the origin of a circular sequence with an end past the end of the sequence.

    Args:
        annotated: start, end and any further columns, shape (n, columns).
        length: bases of the sequence.
        is_circular: whether the sequence is a circle.

    Returns:
        Shape (m, columns); an interval across the origin of a circle gives two rows.
    """
    inside = annotated[annotated[:, 0] < length]
    wrapped = inside[inside[:, 1] > length] if is_circular else inside[:0]
    wrapped[:, 0], wrapped[:, 1] = 0, wrapped[:, 1] - length
    clipped = np.concatenate([inside, wrapped])
    clipped[:, 1] = np.minimum(clipped[:, 1], length)
    return clipped


def gaps(merged: Intervals, length: int) -> Intervals:
    """The parts of [0, length) that a merged set does not cover, shape (m, 2)."""
    starts = np.append(0, merged[:, 1])
    ends = np.append(merged[:, 0], length)
    free = ends > starts
    return np.stack([starts[free], ends[free]], axis=1)


def overlaps(intervals: Intervals, merged: Intervals) -> NDArray[np.bool_]:
    """Whether each interval shares a base with a merged set, shape (n,)."""
    if len(merged) == 0:
        return np.zeros(len(intervals), np.bool_)
    # If any of the merged intervals overlaps, the first that ends after the start does.
    candidate = np.searchsorted(merged[:, 1], intervals[:, 0], side="right")
    exists = candidate < len(merged)
    return exists & (merged[np.minimum(candidate, len(merged) - 1), 0] < intervals[:, 1])


def clusters(intervals: Intervals) -> NDArray[np.int64]:
    """The cluster of each interval, shape (n,); intervals that overlap, directly or through others, share one.

    Clusters are numbered from 0 along the chromosome.
    """
    merged = merge(intervals)
    return np.searchsorted(merged[:, 0], intervals[:, 0], side="right") - 1
