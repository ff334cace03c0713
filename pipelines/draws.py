"""Successive shuffles on one chromosome, each clear of what came before, and verified."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipelines import bedtools, fingerprint, intervals, matching
from pipelines.blocks import Blocks
from pipelines.intervals import Intervals
from pipelines.matching import Shares
from pipelines.windows import SHORTEST

SHRINK = 0.85
NOWHERE = -1


class Draws:
    """Places drawn by `bedtools shuffle`, each in the blocks of a given split.

    Args:
        barred: merged intervals that no place may touch, shape (m, 2).
        blocks: of the chromosome; those of one split are where its places may lie.
        seed: what seeds every draw, beside its number.
    """

    def __init__(self, barred: Intervals, blocks: Blocks, seed: tuple[object, ...]) -> None:
        elsewhere = [blocks.elsewhere(split) for split in blocks.names]
        self._barred = [intervals.merge(np.concatenate([barred, one])) for one in elsewhere]
        self._length = int(blocks.ends[-1])
        self._seed = seed
        self._round = 0

    def bar(self, spots: Intervals) -> None:
        """Keep later places clear of these, shape (n, 2)."""
        self._barred = [intervals.merge(np.concatenate([barred, spots])) for barred in self._barred]

    def place(self, lengths: NDArray[np.int64], within: NDArray[np.int64]) -> Intervals:
        """A place for each, shape (n, 2); -1, -1 where there is none.

        Args:
            lengths: bases of each, shape (n,).
            within: number of the split it is to lie in (in the blocks' `names`), shape (n,).
        """
        seed = fingerprint.seed(*self._seed, self._round)
        spots = bedtools.shuffle(lengths, within, self._length, self._barred, seed)
        self._round += 1
        self._take(spots, lengths, within)
        return spots

    def place_shortened(
        self, lengths: NDArray[np.int64], within: NDArray[np.int64]
    ) -> tuple[Intervals, NDArray[np.int64]]:
        """A place for each, cut to `SHRINK` again and again until there is one or it is under `SHORTEST` bases.

        Returns:
            Places, shape (n, 2), -1, -1 where there is none; and the lengths they have, shape (n,).
        """
        lengths = lengths.copy()
        spots = self.place(lengths, within)
        waiting = np.flatnonzero(spots[:, 0] == NOWHERE)
        while len(waiting):
            shorter = np.maximum((lengths[waiting] * SHRINK).astype(np.int64), 1)
            waiting, shorter = waiting[shorter >= SHORTEST], shorter[shorter >= SHORTEST]
            spots[waiting] = self.place(shorter, within[waiting])
            lengths[waiting] = shorter
            waiting = waiting[spots[waiting, 0] == NOWHERE]
        return spots, lengths

    def place_matched(
        self,
        lengths: NDArray[np.int64],
        within: NDArray[np.int64],
        wanted: Shares,
        shares: Callable[[Intervals], Shares],
        candidates: int,
        tolerance: float,
    ) -> Intervals:
        """The best of many places for each.

        Args:
            lengths: bases of each, shape (n,).
            within: number of the split it is to lie in, shape (n,).
            wanted: the shares each is to have, shape (n, shares).
            shares: the shares of given places.
            candidates: places drawn for each.
            tolerance: largest difference of a share.

        Returns:
            Shape (n, 2); -1, -1 where none is within the tolerance.
        """
        seed = fingerprint.seed(*self._seed, "candidates")
        asked = np.repeat(within, candidates)
        drawn = bedtools.shuffle(np.repeat(lengths, candidates), asked, self._length, self._barred, seed, apart=False)
        found = drawn[:, 0] != NOWHERE
        drawn, asked = drawn[found], asked[found]
        offered = shares(drawn)
        spots = np.full((len(lengths), 2), NOWHERE, np.int64)
        for split in np.unique(within):
            mine, theirs = within == split, asked == split
            chosen = matching.choose(lengths[mine], wanted[mine], drawn[theirs], offered[theirs], tolerance)
            spots[mine] = np.append(drawn[theirs], [[NOWHERE, NOWHERE]], axis=0)[chosen]
        self._take(spots, lengths, within)
        return spots

    def _take(self, spots: Intervals, lengths: NDArray[np.int64], within: NDArray[np.int64]) -> None:
        """Verify new places and keep later ones clear of them."""
        good = spots[:, 0] != NOWHERE
        for number, barred in enumerate(self._barred):
            here = good & (within == number)
            verify(spots[here], lengths[here], barred, self._length)
        self.bar(spots[good])


def verify(placed: Intervals, lengths: NDArray[np.int64], barred: Intervals, chromosome_length: int) -> None:
    """Hold placed negatives against what was asked.

    Raises:
        AssertionError: one is out of range, of another length, in a barred region or over another. That is a
            defect of bedtools or of this project, not of the user's data.
    """
    if len(placed) == 0:
        return
    if placed[:, 0].min() < 0 or placed[:, 1].max() > chromosome_length:
        raise AssertionError("bedtools shuffle left the chromosome")
    if not np.array_equal(placed[:, 1] - placed[:, 0], lengths):
        raise AssertionError("bedtools shuffle changed a length")
    if intervals.touches(placed, barred).any():
        raise AssertionError("bedtools shuffle placed a negative in an excluded region")
    ordered = placed[np.argsort(placed[:, 0])]
    if (ordered[1:, 0] < ordered[:-1, 1]).any():
        raise AssertionError("bedtools shuffle placed a negative over another")
