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


def reaches(genes: Intervals, rows: Intervals, others: Intervals, length: int) -> Intervals:
    """How far each gene's partial negatives may reach where a gene is only a part of its row.

    What is left of its own row is no gene, so that they may lie there; they end before the row of any other gene.

    Args:
        genes: start and end of each gene, shape (genes, 2).
        rows: start and end of the row that each is a part of, shape (genes, 2).
        others: what belongs to none of the genes, shape (n, 2).
        length: bases of the chromosome.

    Returns:
        The lowest start and the highest end, shape (genes, 2); the gene's own where something lies across its edge.
    """
    low = _nearest_before(genes[:, 0], rows, others)
    mirrored = [length - spans[:, ::-1] for spans in (genes, rows, others)]
    return np.stack([low, length - _nearest_before(mirrored[0][:, 0], *mirrored[1:])], axis=1)


def _nearest_before(starts: NDArray[np.int64], rows: Intervals, others: Intervals) -> NDArray[np.int64]:
    """The highest end, up to each start, of what begins before it and is not the row of that number; 0 for none."""
    number = np.concatenate([np.arange(len(rows)), np.full(len(others), len(rows))])
    spans = np.concatenate([rows, others])
    order = np.argsort(spans[:, 0], kind="stable")
    first = np.searchsorted(spans[order, 0], starts)
    # The two highest ends of different rows so far: one of them is not the gene's own.
    highest = second = 0
    owner = -1
    best = np.zeros((len(order) + 1, 3), np.int64)
    best[0, 2] = -1
    for place, index in enumerate(order.tolist(), 1):
        end, own = int(spans[index, 1]), int(number[index])
        if end > highest:
            second = second if own == owner else highest
            highest, owner = end, own
        elif own != owner and end > second:
            second = end
        best[place] = highest, second, owner
    chosen = best[first]
    return np.minimum(np.where(chosen[:, 2] == np.arange(len(starts)), chosen[:, 1], chosen[:, 0]), starts)


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

    def place(
        self,
        gene: NDArray[np.int64],
        length: int,
        shortest: int,
        generator: np.random.Generator,
        reach: NDArray[np.int64] | None = None,
    ) -> Intervals:
        """Place an interval over one of the gene's edges: `length` bases or as many as fit, at least `shortest`.

        Args:
            gene: start and end, shape (2,).
            length: bases of the interval.
            shortest: fewest bases that it may have instead.
            generator: of the edge and the offset.
            reach: the lowest start and the highest end that it may have; None for any.

        Returns:
            Start and end; -1, -1 where none fits. Shape (2,).
        """
        free = [self._free_bases(gene, side) for side in (0, 1)]
        if reach is not None:
            free = [min(free[0], int(gene[0] - reach[0])), min(free[1], int(reach[1] - gene[1]))]
        sides = [side for side in (0, 1) if free[side] > 0]
        if sides:
            longest = [min(length, int(free[side] / MIN_INSIDE)) for side in sides]
            length = max(longest)
            if length >= shortest:
                best_sides = [side for side, size in zip(sides, longest, strict=True) if size == length]
                side = best_sides[int(generator.integers(len(best_sides)))]
                # Rounded up: at least a quarter lies outside.
                low, high = -int(-length * MIN_INSIDE // 1), min(int(length * MAX_INSIDE), free[side])
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
