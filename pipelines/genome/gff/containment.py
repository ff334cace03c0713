"""The first of many intervals that holds another one, without a look at each of them."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence


class Containment:
    """Intervals to search in, of one sequence and strand.

    Args:
        intervals: start and end, 0-based half-open, in any order.
    """

    def __init__(self, intervals: Sequence[tuple[int, int]]) -> None:
        self._numbers = sorted(range(len(intervals)), key=lambda number: intervals[number][0])
        self._starts = [intervals[number][0] for number in self._numbers]
        self._ends = [intervals[number][1] for number in self._numbers]
        self._furthest = [*itertools.accumulate(self._ends, max)]

    def first(self, start: int, end: int) -> int | None:
        """The number of the first interval, in the order given, that holds all of [start, end); None without one."""
        found = None
        # Backwards by start, as long as this interval or an earlier one may end late enough.
        for at in range(bisect_right(self._starts, start) - 1, -1, -1):
            if self._furthest[at] < end:
                break
            if self._ends[at] >= end and (found is None or self._numbers[at] < found):
                found = self._numbers[at]
        return found
