"""Partial negatives: intervals over an edge of a gene, a quarter to three quarters of them inside.

What lies outside touches no feature, no run of N and no other partial negative. Costs one binary search and a few
comparisons for each gene.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.intervals import Intervals

Edge = tuple[int, int]
MIN_INSIDE, MAX_INSIDE = 0.25, 0.75
UNPLACED = -1


class GeneEdges:
    """The edges of one chromosome's genes; each carries one partial negative at most, or one for each window.

    Args:
        occupied: merged intervals, every gene among them, shape (m, 2).
        length: bases of the chromosome.
        per_edge: most negatives over one edge; they overlap, each with another number of bases outside.
    """

    def __init__(self, occupied: Intervals, length: int, per_edge: int = 1) -> None:
        self._starts, self._ends = occupied[:, 0], occupied[:, 1]
        self._free = np.append(self._starts, length) - np.append(0, self._ends)
        self._per_edge = per_edge
        # The bases outside of each negative over an edge, ascending.
        self._outside: dict[Edge | None, list[int]] = {}

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
                drawn = [bases for bases in self._outside.get(self._edge(gene, side), []) if low <= bases <= high]
                if low + len(drawn) <= high:
                    outside = int(generator.integers(low, high + 1 - len(drawn)))
                    for bases in drawn:
                        outside += outside >= bases
                    self._use(gene, side, outside)
                    start = int(gene[0]) - outside if side == 0 else int(gene[1]) + outside - length
                    return np.array([start, start + length], np.int64)
        return np.array([UNPLACED, UNPLACED], np.int64)

    def _edge(self, gene: NDArray[np.int64], side: int) -> Edge | None:
        """Return an edge (side 0 the gene's start, 1 its end) as the gap that borders on it and which of the gap's
        borders it is, 0 the left one; None inside other features.
        """
        if side == 0:
            gap = int(np.searchsorted(self._starts, gene[0]))
            return (gap, 1) if gap < len(self._starts) and self._starts[gap] == gene[0] else None
        gap_before = int(np.searchsorted(self._ends, gene[1]))
        is_edge = gap_before < len(self._ends) and self._ends[gap_before] == gene[1]
        return (gap_before + 1, 0) if is_edge else None

    def _free_bases(self, gene: NDArray[np.int64], side: int) -> int:
        """Return the free bases next to an edge; 0 where the edge carries as many negatives as it may."""
        edge = self._edge(gene, side)
        if edge is None or len(self._outside.get(edge, [])) >= self._per_edge:
            return 0
        gap, border = edge
        return int(self._free[gap]) - max(self._outside.get((gap, 1 - border), [0]))

    def _use(self, gene: NDArray[np.int64], side: int, bases: int) -> None:
        if edge := self._edge(gene, side):
            self._outside[edge] = sorted([*self._outside.get(edge, []), bases])
