"""Interval arithmetic on arrays of shape (n, 2): 0-based half-open start and end on one chromosome.

Everything is a sort or a binary search, n log n.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Intervals = NDArray[np.int64]


def empty() -> Intervals:
    """No interval, shape (0, 2)."""
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


def widen(intervals: Intervals, flank: int, length: int) -> Intervals:
    """Every interval with `flank` bases more on both sides, kept within [0, length)."""
    return np.stack([np.maximum(intervals[:, 0] - flank, 0), np.minimum(intervals[:, 1] + flank, length)], axis=1)


def within(annotated: Intervals, length: int) -> Intervals:
    """Annotated intervals as they lie in [0, length), shape (m, columns): start, end and whatever follows.

    GFF3 writes a feature across the origin of a circular sequence with an end past the sequence's: what lies past
    the end is at its beginning as well.
    """
    inside = annotated[annotated[:, 0] < length]
    around = inside[inside[:, 1] > length]
    around[:, 0], around[:, 1] = 0, around[:, 1] - length
    found = np.concatenate([inside, around])
    found[:, 1] = np.minimum(found[:, 1], length)
    return found


def gaps(merged: Intervals, length: int) -> Intervals:
    """What a merged set leaves free of [0, length), shape (m, 2)."""
    starts = np.append(0, merged[:, 1])
    ends = np.append(merged[:, 0], length)
    free = ends > starts
    return np.stack([starts[free], ends[free]], axis=1)


def touches(intervals: Intervals, merged: Intervals) -> NDArray[np.bool_]:
    """True for each interval that shares a base with a merged set, shape (n,)."""
    if len(merged) == 0:
        return np.zeros(len(intervals), np.bool_)
    before = np.searchsorted(merged[:, 1], intervals[:, 0], side="right")
    inside = before < len(merged)
    return inside & (merged[np.minimum(before, len(merged) - 1), 0] < intervals[:, 1])


def clusters(intervals: Intervals) -> NDArray[np.int64]:
    """A number for each interval, equal for those that overlap directly or through others, shape (n,).

    Numbers rise from 0 along the chromosome.
    """
    merged = merge(intervals)
    return np.searchsorted(merged[:, 0], intervals[:, 0], side="right") - 1
