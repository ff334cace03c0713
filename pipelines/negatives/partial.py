"""Partial negatives: intervals over an edge of a gene, a quarter to three quarters of them inside.

What lies outside touches no feature, no run of N and no other partial negative. One search and a few comparisons
for each gene.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.intervals import Intervals

LEAST, MOST = 0.25, 0.75
NOWHERE = -1


class Edges:
    """The edges of one chromosome's genes; each is given away once.

    Args:
        occupied: merged intervals with every gene in them, shape (m, 2).
        length: bases of the chromosome.
    """

    def __init__(self, occupied: Intervals, length: int) -> None:
        self._starts, self._ends = occupied[:, 0], occupied[:, 1]
        self._free = np.append(self._starts, length) - np.append(0, self._ends)
        # Bases used of the gap before each occupied interval: from its left border, and from its right one.
        self._used = np.zeros((len(self._free), 2), np.int64)

    def place(self, gene: NDArray[np.int64], length: int, shortest: int, generator: np.random.Generator) -> Intervals:
        """An interval over one of the gene's edges, as long as there is room for up to `length`, at least `shortest`.

        Returns:
            Start and end; -1, -1 where there is no room. Shape (2,).
        """
        sides = [side for side in (0, 1) if self._room(gene, side)]
        if sides:
            rooms = [self._room(gene, side) for side in sides]
            possible = [min(length, int(room / LEAST)) for room in rooms]
            length = max(possible)
            if length >= shortest:
                good = [side for side, most in zip(sides, possible, strict=True) if most == length]
                side = good[int(generator.integers(len(good)))]
                least, most = -int(-length * LEAST // 1), min(int(length * MOST), self._room(gene, side))
                if least <= most:
                    outside = int(generator.integers(least, most + 1))
                    self._use(gene, side, outside)
                    start = int(gene[0]) - outside if side == 0 else int(gene[1]) + outside - length
                    return np.array([start, start + length], np.int64)
        return np.array([NOWHERE, NOWHERE], np.int64)

    def _gap(self, gene: NDArray[np.int64], side: int) -> int | None:
        """The gap that begins or ends at an edge of the gene (side 0 its start, 1 its end); none within other features."""
        if side == 0:
            at = int(np.searchsorted(self._starts, gene[0]))
            return at if at < len(self._starts) and self._starts[at] == gene[0] else None
        at = int(np.searchsorted(self._ends, gene[1]))
        return at + 1 if at < len(self._ends) and self._ends[at] == gene[1] else None

    def _room(self, gene: NDArray[np.int64], side: int) -> int:
        """Free bases beside an edge that was not given away."""
        gap = self._gap(gene, side)
        if gap is None or self._used[gap, 1 - side]:
            return 0
        return int(self._free[gap] - self._used[gap, side])

    def _use(self, gene: NDArray[np.int64], side: int, bases: int) -> None:
        self._used[self._gap(gene, side), 1 - side] = bases
