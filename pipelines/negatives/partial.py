"""Partial negatives: intervals over an edge of a gene, a quarter to three quarters of them inside.

What lies outside touches no feature, no run of N and no other partial negative. Costs one binary search and a few
comparisons for each gene.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.intervals import Intervals

MIN_INSIDE, MAX_INSIDE = 0.25, 0.75
UNPLACED = -1


class GeneEdges:
    """The edges of one chromosome's genes; each carries one partial negative at most.

    Args:
        occupied: merged intervals, every gene among them, shape (m, 2).
        length: bases of the chromosome.
    """

    def __init__(self, occupied: Intervals, length: int) -> None:
        self._starts, self._ends = occupied[:, 0], occupied[:, 1]
        self._free = np.append(self._starts, length) - np.append(0, self._ends)
        # Bases used of the gap before each occupied interval: from its left border, and from its right one.
        self._used = np.zeros((len(self._free), 2), np.int64)

    def place(self, gene: NDArray[np.int64], length: int, shortest: int, generator: np.random.Generator) -> Intervals:
        """Place an interval over one of the gene's edges: `length` bases or as many as fit, at least `shortest`.

        Returns:
            Start and end; -1, -1 where none fits. Shape (2,).
        """
        sides = [side for side in (0, 1) if self._free_bases(gene, side)]
        if sides:
            longest = [min(length, int(self._free_bases(gene, side) / MIN_INSIDE)) for side in sides]
            length = max(longest)
            if length >= shortest:
                best_sides = [side for side, size in zip(sides, longest, strict=True) if size == length]
                side = best_sides[int(generator.integers(len(best_sides)))]
                # Rounded up: at least a quarter lies outside.
                low, high = -int(-length * MIN_INSIDE // 1), min(int(length * MAX_INSIDE), self._free_bases(gene, side))
                if low <= high:
                    outside = int(generator.integers(low, high + 1))
                    self._use(gene, side, outside)
                    start = int(gene[0]) - outside if side == 0 else int(gene[1]) + outside - length
                    return np.array([start, start + length], np.int64)
        return np.array([UNPLACED, UNPLACED], np.int64)

    def _gap(self, gene: NDArray[np.int64], side: int) -> int | None:
        """Return the gap that borders on an edge (side 0 the gene's start, 1 its end); None inside other features."""
        if side == 0:
            gap = int(np.searchsorted(self._starts, gene[0]))
            return gap if gap < len(self._starts) and self._starts[gap] == gene[0] else None
        gap_before = int(np.searchsorted(self._ends, gene[1]))
        is_edge = gap_before < len(self._ends) and self._ends[gap_before] == gene[1]
        return gap_before + 1 if is_edge else None

    def _free_bases(self, gene: NDArray[np.int64], side: int) -> int:
        """Return the free bases next to an edge; 0 where the edge already carries a negative."""
        gap = self._gap(gene, side)
        if gap is None or self._used[gap, 1 - side]:
            return 0
        return int(self._free[gap] - self._used[gap, side])

    def _use(self, gene: NDArray[np.int64], side: int, bases: int) -> None:
        self._used[self._gap(gene, side), 1 - side] = bases
