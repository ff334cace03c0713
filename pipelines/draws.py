"""Successive shuffles on one chromosome, each clear of what came before, and verified."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipelines import bedtools, fingerprint, intervals, matching
from pipelines.intervals import Intervals
from pipelines.matching import Shares
from pipelines.windows import SHORTEST

SHRINK = 0.85
NOWHERE = -1


class Draws:
    """Places drawn by `bedtools shuffle`.

    Args:
        barred: merged intervals that no place may touch, shape (m, 2).
        length: bases of the chromosome.
        seed: what seeds every draw, beside its number.
    """

    def __init__(self, barred: Intervals, length: int, seed: tuple[object, ...]) -> None:
        self._barred = barred
        self._length = length
        self._seed = seed
        self._round = 0

    def bar(self, spots: Intervals) -> None:
        """Keep later places clear of these, shape (n, 2)."""
        self._barred = intervals.merge(np.concatenate([self._barred, spots]))

    def place(self, lengths: NDArray[np.int64]) -> Intervals:
        """A place for each, shape (n, 2); -1, -1 where there is none."""
        spots = bedtools.shuffle(lengths, self._length, self._barred, fingerprint.seed(*self._seed, self._round))
        self._round += 1
        good = spots[:, 0] != NOWHERE
        verify(spots[good], lengths[good], self._barred, self._length)
        self.bar(spots[good])
        return spots

    def place_shortened(self, lengths: NDArray[np.int64]) -> tuple[Intervals, NDArray[np.int64]]:
        """A place for each, cut to `SHRINK` again and again until there is one or it is under `SHORTEST` bases.

        Returns:
            Places, shape (n, 2), -1, -1 where there is none; and the lengths they have, shape (n,).
        """
        lengths = lengths.copy()
        spots = self.place(lengths)
        waiting = np.flatnonzero(spots[:, 0] == NOWHERE)
        while len(waiting):
            shorter = np.maximum((lengths[waiting] * SHRINK).astype(np.int64), 1)
            waiting, shorter = waiting[shorter >= SHORTEST], shorter[shorter >= SHORTEST]
            spots[waiting] = self.place(shorter)
            lengths[waiting] = shorter
            waiting = waiting[spots[waiting, 0] == NOWHERE]
        return spots, lengths

    def place_matched(
        self,
        lengths: NDArray[np.int64],
        wanted: Shares,
        shares: Callable[[Intervals], Shares],
        candidates: int,
        tolerance: float,
    ) -> Intervals:
        """The best of many places for each.

        Args:
            lengths: bases of each, shape (n,).
            wanted: the shares each is to have, shape (n, shares).
            shares: the shares of given places.
            candidates: places drawn for each.
            tolerance: largest difference of a share.

        Returns:
            Shape (n, 2); -1, -1 where none is within the tolerance.
        """
        seed = fingerprint.seed(*self._seed, "candidates")
        drawn = bedtools.shuffle(np.repeat(lengths, candidates), self._length, self._barred, seed, apart=False)
        drawn = drawn[drawn[:, 0] != NOWHERE]
        chosen = matching.choose(lengths, wanted, drawn, shares(drawn), tolerance)
        spots = np.where((chosen >= 0)[:, None], np.append(drawn, [[NOWHERE, NOWHERE]], axis=0)[chosen], NOWHERE)
        good = chosen >= 0
        verify(spots[good], lengths[good], self._barred, self._length)
        self.bar(spots[good])
        return spots


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
