"""Sequences laid end to end on one axis, so that what is done to a chromosome is done to thousands of contigs at once.

Between two sequences lie bases that nothing may touch, one more than negatives keep clear of features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.intervals import Intervals
from pipelines.genome.sequence import Bytes
from pipelines.splits.blocks import Blocks

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class EndToEnd:
    """Where sequences lie on the axis.

    Attributes:
        offsets: the position of each one's first base, shape (sequences,).
        lengths: bases of each, shape (sequences,).
    """

    offsets: Numbers
    lengths: Numbers

    @classmethod
    def of(cls, lengths: Numbers, flank: int) -> EndToEnd:
        """Lay sequences of these lengths end to end; `flank` is what negatives keep clear of features."""
        return cls(np.cumsum(lengths + flank + 1) - (lengths + flank + 1), lengths)

    def between(self) -> Intervals:
        """Return the bases that belong to no sequence, shape (sequences - 1, 2)."""
        return np.stack([(self.offsets + self.lengths)[:-1], self.offsets[1:]], axis=1)

    def holding(self, positions: Numbers) -> Numbers:
        """Return the number of the sequence of each position, shape (n,)."""
        return np.searchsorted(self.offsets, positions, side="right") - 1

    def blocks(self, numbers: Numbers, ends: Numbers, splits: Sequence[str]) -> Blocks:
        """Return the blocks of all sequences, of which each has splits of its own: no negative leaves its sequence.

        Args:
            numbers: of the sequence of each block, ascending, shape (blocks,).
            ends: of each block on its sequence, shape (blocks,).
            splits: of each block.
        """
        names = (f"{number} {split}" for number, split in zip(numbers.tolist(), splits, strict=True))
        return Blocks(ends + self.offsets[numbers], tuple(names))

    def closed_borders(self, numbers: Numbers, ends: Numbers) -> Intervals:
        """Return the bases on both sides of each border of blocks within a sequence, as `Blocks.borders` does.

        Args:
            numbers: of the sequence of each block, ascending, shape (blocks,).
            ends: of each block on its sequence, shape (blocks,).
        """
        is_within = ends < self.lengths[numbers]
        between = (ends + self.offsets[numbers])[is_within]
        return np.stack([between - 1, between + 1], axis=1)

    def letters(self, letters_of: Callable[[int, int, int], Bytes], start: int, end: int) -> Bytes:
        """Return the letters of [start, end) of the axis, N between sequences, shape (end - start,).

        Args:
            letters_of: gives the letters of a sequence, by its number, from a start to an end.
            start: first position.
            end: the position after the last one.
        """
        letters = np.full(end - start, ord("N"), np.uint8)
        first, last = self.holding(np.array([start, end - 1])).tolist()
        for number in range(first, last + 1):
            offset = int(self.offsets[number])
            low, high = max(start - offset, 0), min(end - offset, int(self.lengths[number]))
            if low < high:
                letters[low + offset - start : high + offset - start] = letters_of(number, low, high)
        return letters
