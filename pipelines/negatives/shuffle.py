"""Shuffled negatives: successive runs of `bedtools shuffle` on one chromosome, each verified and clear of those before.

Results are verified, not trusted: a negative over a gene would be a wrong label that nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals
from pipelines.negatives import bedtools, matching
from pipelines.negatives.cropping import MIN_LENGTH
from pipelines.negatives.matching import Shares
from pipelines.splits.blocks import Blocks

SHRINK = 0.85
UNPLACED = -1


class IntervalShuffler:
    """Places intervals on one chromosome by `bedtools shuffle`, each in the blocks of a given split.

    Args:
        excluded: merged intervals that no placed interval may touch, shape (m, 2).
        blocks: the chromosome's blocks; an interval of a split lies in one of that split's.
        seed: seeds every run, together with the run's number.
    """

    def __init__(self, excluded: Intervals, blocks: Blocks, seed: tuple[object, ...]) -> None:
        self._excluded = excluded
        self._blocks = blocks
        self._blocks_of_splits = blocks.of_splits()
        self._tracks: list[_Track | None] = [None] * len(self._blocks_of_splits)
        self._length = int(blocks.ends[-1])
        self._seed = seed
        self._runs = 0

    def exclude(self, bounds: Intervals) -> None:
        """Keep intervals placed later clear of these, shape (n, 2)."""
        if len(bounds):
            self._excluded = intervals.merge(np.concatenate([self._excluded, bounds]))
            self._tracks = [None] * len(self._blocks_of_splits)

    def place(self, lengths: NDArray[np.int64], splits: NDArray[np.int64]) -> Intervals:
        """Place intervals of these lengths, disjoint.

        Args:
            lengths: bases of each, shape (n,).
            splits: index of each interval's split in the blocks' `split_names`, shape (n,).

        Returns:
            Start and end, shape (n, 2); -1, -1 where one could not be placed.
        """
        seed = fingerprint.seed(*self._seed, self._runs)
        placed = self._shuffle(lengths, splits, seed, disjoint=True)
        self._runs += 1
        self._accept(placed, lengths, splits)
        return placed

    def place_shortened(
        self, lengths: NDArray[np.int64], splits: NDArray[np.int64]
    ) -> tuple[Intervals, NDArray[np.int64]]:
        """Place intervals; shorten those that do not fit to `SHRINK` of their length until they do.

        Returns:
            Start and end, shape (n, 2), -1, -1 where not even `MIN_LENGTH` bases fit; and final lengths, shape (n,).
        """
        lengths = lengths.copy()
        placed = self.place(lengths, splits)
        waiting = np.flatnonzero(placed[:, 0] == UNPLACED)
        # Lengths shrink in every round, so this ends.
        while len(waiting):
            shorter = np.maximum((lengths[waiting] * SHRINK).astype(np.int64), 1)
            waiting, shorter = waiting[shorter >= MIN_LENGTH], shorter[shorter >= MIN_LENGTH]
            placed[waiting] = self.place(shorter, splits[waiting])
            lengths[waiting] = shorter
            waiting = waiting[placed[waiting, 0] == UNPLACED]
        return placed, lengths

    def place_matched(
        self,
        lengths: NDArray[np.int64],
        splits: NDArray[np.int64],
        target_shares: Shares,
        measure_shares: Callable[[Intervals], Shares],
        candidates: int,
        tolerance: float,
    ) -> Intervals:
        """Draw several candidates for each interval and place it at the one whose composition is nearest.

        Args:
            lengths: bases of each, shape (n,).
            splits: index of each interval's split, shape (n,).
            target_shares: the composition each is to have, shape (n, shares).
            measure_shares: gives the composition of intervals.
            candidates: candidates drawn for each.
            tolerance: largest difference in any share.

        Returns:
            Start and end, shape (n, 2); -1, -1 where no candidate is within the tolerance.
        """
        seed = fingerprint.seed(*self._seed, "candidates")
        drawn_splits = np.repeat(splits, candidates)
        drawn = self._shuffle(np.repeat(lengths, candidates), drawn_splits, seed, disjoint=False)
        is_placed = drawn[:, 0] != UNPLACED
        drawn, drawn_splits = drawn[is_placed], drawn_splits[is_placed]
        drawn_shares = measure_shares(drawn)
        placed = np.full((len(lengths), 2), UNPLACED, np.int64)
        drawn_of = rows_of(drawn_splits, len(self._blocks_of_splits))
        for rows, of_split in zip(rows_of(splits, len(drawn_of)), drawn_of, strict=True):
            if len(rows) == 0:
                continue
            chosen = matching.choose_candidates(
                lengths[rows], target_shares[rows], drawn[of_split], drawn_shares[of_split], tolerance
            )
            # A choice of -1, for none, picks the row appended.
            placed[rows] = np.append(drawn[of_split], [[UNPLACED, UNPLACED]], axis=0)[chosen]
        self._accept(placed, lengths, splits)
        return placed

    def _shuffle(
        self, lengths: NDArray[np.int64], splits: NDArray[np.int64], seed: int, *, disjoint: bool
    ) -> Intervals:
        """Shuffle on each split's blocks laid end to end, so that no draw is lost on the blocks of other splits."""
        tracks = self._current_tracks()
        fits = lengths <= np.array([track.largest_gap for track in tracks], np.int64)[splits]
        placed = np.full((len(lengths), 2), UNPLACED, np.int64)
        if not fits.any():
            return placed
        sizes, excluded = [int(track.ends[-1]) for track in tracks], [track.excluded for track in tracks]
        placed[fits] = bedtools.shuffle(lengths[fits], splits[fits], sizes, excluded, seed, disjoint=disjoint)
        is_placed = placed[:, 0] != UNPLACED
        for rows, track in zip(rows_of(np.where(is_placed, splits, -1), len(tracks)), tracks, strict=True):
            if len(rows):
                block = np.searchsorted(track.ends, placed[rows, 0], side="right")
                placed[rows] += track.shifts[block][:, None]
        return placed

    def _current_tracks(self) -> list[_Track]:
        """Return the tracks of all splits; only those on which something was placed are laid anew."""
        for number, track in enumerate(self._tracks):
            if track is None:
                self._tracks[number] = _lay_end_to_end(self._blocks_of_splits[number], self._excluded)
        return [track for track in self._tracks if track is not None]

    def _accept(self, placed: Intervals, lengths: NDArray[np.int64], splits: NDArray[np.int64]) -> None:
        """Verify newly placed intervals and keep later ones clear of them."""
        is_placed = placed[:, 0] != UNPLACED
        verify(placed[is_placed], lengths[is_placed], self._excluded, self._length)
        if not np.array_equal(self._blocks.splits_holding(placed[is_placed]), splits[is_placed]):
            raise AssertionError("a negative was placed outside the blocks of its split")
        if is_placed.any():
            self._excluded = intervals.merge(np.concatenate([self._excluded, placed[is_placed]]))
            for number in np.unique(splits[is_placed]).tolist():
                self._tracks[number] = None


def rows_of(numbers: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Return the rows of each number from 0 to count - 1, ascending, by one sort; rows of -1 are in none."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.searchsorted(numbers[order], np.arange(count + 1)))[1:-1]


@dataclass(frozen=True)
class _Track:
    """The blocks of one split end to end, with one excluded base between them.

    Attributes:
        ends: end of each block on the track, shape (blocks,).
        shifts: what to add to a position in each block to get its position on the chromosome, shape (blocks,).
        excluded: merged intervals of the track that no placed interval may touch, shape (m, 2).
        largest_gap: bases of the longest stretch between these.
    """

    ends: NDArray[np.int64]
    shifts: NDArray[np.int64]
    excluded: Intervals
    largest_gap: int


def _lay_end_to_end(blocks: Intervals, excluded: Intervals) -> _Track:
    sizes = blocks[:, 1] - blocks[:, 0]
    ends = np.cumsum(sizes + 1) - 1
    shifts = blocks[:, 1] - ends
    between = np.stack([ends[:-1], ends[:-1] + 1], axis=1)
    within = []
    for (start, end), shift in zip(blocks.tolist(), shifts.tolist(), strict=True):
        first, last = np.searchsorted(excluded[:, 1], start, side="right"), np.searchsorted(excluded[:, 0], end)
        within.append(np.clip(excluded[first:last], start, end) - shift)
    merged = intervals.merge(np.concatenate([*within, between]))
    return _Track(ends, shifts, merged, bedtools.largest_gap(merged, int(ends[-1])))


def verify(placed: Intervals, lengths: NDArray[np.int64], excluded: Intervals, chromosome_length: int) -> None:
    """Compare placed negatives with what was requested.

    Raises:
        AssertionError: one is out of range, of another length, in an excluded region or over another. That is a
            defect of bedtools or of this project, not of the user's data.
    """
    if len(placed) == 0:
        return
    if placed[:, 0].min() < 0 or placed[:, 1].max() > chromosome_length:
        raise AssertionError("bedtools shuffle left the chromosome")
    if not np.array_equal(placed[:, 1] - placed[:, 0], lengths):
        raise AssertionError("bedtools shuffle changed a length")
    if intervals.overlaps(placed, excluded).any():
        raise AssertionError("bedtools shuffle placed a negative in an excluded region")
    ordered = placed[np.argsort(placed[:, 0])]
    if (ordered[1:, 0] < ordered[:-1, 1]).any():
        raise AssertionError("bedtools shuffle placed a negative over another")
