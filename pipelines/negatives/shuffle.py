"""Successive shuffles on one chromosome, each clear of what came before, and verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals
from pipelines.negatives import bedtools, matching
from pipelines.negatives.cropping import SHORTEST
from pipelines.negatives.matching import Shares
from pipelines.splits.blocks import Blocks

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
        self._barred = barred
        self._blocks = [blocks.of(split) for split in blocks.names]
        self._length = int(blocks.ends[-1])
        self._seed = seed
        self._round = 0

    def bar(self, spots: Intervals) -> None:
        """Keep later places clear of these, shape (n, 2)."""
        self._barred = intervals.merge(np.concatenate([self._barred, spots]))

    def place(self, lengths: NDArray[np.int64], within: NDArray[np.int64]) -> Intervals:
        """A place for each, shape (n, 2); -1, -1 where there is none.

        Args:
            lengths: bases of each, shape (n,).
            within: number of the split it is to lie in (in the blocks' `names`), shape (n,).
        """
        seed = fingerprint.seed(*self._seed, self._round)
        spots = self._shuffle(lengths, within, seed, apart=True)
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
        drawn = self._shuffle(np.repeat(lengths, candidates), asked, seed, apart=False)
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

    def _shuffle(self, lengths: NDArray[np.int64], within: NDArray[np.int64], seed: int, *, apart: bool) -> Intervals:
        """Places drawn on the blocks of each split laid end to end, so that no draw is lost on those of others."""
        laid = [_lay_out(blocks, self._barred) for blocks in self._blocks]
        sizes, excluded = [int(one.ends[-1]) for one in laid], [one.barred for one in laid]
        spots = bedtools.shuffle(lengths, within, sizes, excluded, seed, apart=apart)
        for number, one in enumerate(laid):
            here = (within == number) & (spots[:, 0] != NOWHERE)
            spots[here] += one.shifts[np.searchsorted(one.ends, spots[here, 0], side="right")][:, None]
        return spots

    def _take(self, spots: Intervals, lengths: NDArray[np.int64], within: NDArray[np.int64]) -> None:
        """Verify new places and keep later ones clear of them."""
        good = spots[:, 0] != NOWHERE
        verify(spots[good], lengths[good], self._barred, self._length)
        for number, blocks in enumerate(self._blocks):
            here = good & (within == number)
            if intervals.overlaps(spots[here], intervals.merge(intervals.gaps(blocks, self._length))).any():
                raise AssertionError("a negative was placed outside the blocks of its split")
        self.bar(spots[good])


@dataclass(frozen=True)
class _LaidOut:
    """Blocks end to end with one barred base between them.

    Attributes:
        ends: end of each, shape (blocks,).
        shifts: what takes a place in each back to the chromosome, shape (blocks,).
        barred: merged intervals that no place may touch, shape (m, 2).
    """

    ends: NDArray[np.int64]
    shifts: NDArray[np.int64]
    barred: Intervals


def _lay_out(blocks: Intervals, barred: Intervals) -> _LaidOut:
    sizes = blocks[:, 1] - blocks[:, 0]
    ends = np.cumsum(sizes + 1) - 1
    shifts = blocks[:, 1] - ends
    between = np.stack([ends[:-1], ends[:-1] + 1], axis=1)
    inside = [
        np.clip(
            barred[np.searchsorted(barred[:, 1], start, side="right") : np.searchsorted(barred[:, 0], end)], start, end
        )
        - shift
        for (start, end), shift in zip(blocks.tolist(), shifts.tolist(), strict=True)
    ]
    return _LaidOut(ends, shifts, intervals.merge(np.concatenate([*inside, between])))


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
    if intervals.overlaps(placed, barred).any():
        raise AssertionError("bedtools shuffle placed a negative in an excluded region")
    ordered = placed[np.argsort(placed[:, 0])]
    if (ordered[1:, 0] < ordered[:-1, 1]).any():
        raise AssertionError("bedtools shuffle placed a negative over another")
