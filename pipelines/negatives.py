"""Windows out of genes and, for each, a non-gene interval of the same length on the same chromosome.

Positions come from `bedtools shuffle`, in rounds: what finds no room in one round is cut to 85 % and tried again,
until everything is placed or too short to be of use. The result is verified, not trusted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import bedtools, fingerprint, intervals, matching
from pipelines.config import CropConfig, NegativesConfig
from pipelines.intervals import Intervals
from pipelines.sequence import Bytes

SHRINK = 0.85
SHORTEST = 30
NOWHERE = -1
NO_ROOM, UNMATCHED, SHORTER = "no_room_for_negative", "no_match", "shorter_than_crop"


@dataclass(frozen=True)
class Placement:
    """Windows and negatives of the genes of one chromosome; all arrays in the order of the genes.

    Attributes:
        windows: start and end of what is kept of each gene, shape (genes, 2); -1, -1 where the gene is left out.
        negatives: start and end of each negative, shape (negatives, 2).
        partners: the gene each negative belongs to, shape (negatives,).
        unplaced: negatives asked of each gene that found no room, shape (genes,); 0 where the gene is left out.
        reasons: why each gene is left out, empty where it is not, shape (genes,).
    """

    windows: Intervals
    negatives: Intervals
    partners: NDArray[np.int64]
    unplaced: NDArray[np.int64]
    reasons: NDArray[np.object_]


def window_lengths(genes: Intervals, crop: CropConfig) -> NDArray[np.int64]:
    """Bases that a crop keeps of each gene at most, shape (genes,).

    A gene too short to lose its margins and still show `SHORTEST` bases keeps smaller margins.
    """
    lengths = genes[:, 1] - genes[:, 0]
    if crop.length is None:
        return lengths
    inner = np.maximum(lengths - 2 * crop.margin, np.minimum(lengths, SHORTEST))
    return np.minimum(inner, crop.length)


def windows_at(
    genes: Intervals, lengths: NDArray[np.int64], crop: CropConfig, generator: np.random.Generator
) -> Intervals:
    """Cut a window of the given length out of each gene, at a random offset or in its centre, shape (genes, 2)."""
    slack = (genes[:, 1] - genes[:, 0]) - lengths
    margin = np.minimum(crop.margin if crop.length is not None else 0, slack // 2)
    drawn = generator.integers(0, slack - 2 * margin + 1)
    offset = margin + (drawn if crop.position == "random" else (slack - 2 * margin) // 2)
    starts = genes[:, 0] + offset
    return np.stack([starts, starts + lengths], axis=1)


def place(
    genes: Intervals,
    excluded: Intervals,
    chromosome_length: int,
    negatives: NegativesConfig,
    crop: CropConfig,
    where: tuple[str, str],
    earlier: int = 0,
    bases: Bytes | None = None,
) -> Placement:
    """Cut windows and place negatives on one chromosome.

    Args:
        genes: shape (genes, 2).
        excluded: merged intervals that no negative may touch, shape (m, 2).
        chromosome_length: bases.
        negatives: what to do with the unplaced, how many per gene, the seed.
        crop: how long a window may be and where it lies.
        where: genome and chromosome, which seed the draws.
        earlier: genes of the genome on chromosomes before this one, so that a ratio holds over all of them.
        bases: the chromosome's letters, for matching their composition.

    Raises:
        DependencyError: bedtools is missing or failed.
    """
    generator = np.random.default_rng(fingerprint.seed(negatives.seed, "windows", *where))
    draws = _Draws(excluded, chromosome_length, negatives.seed, where)
    lengths = window_lengths(genes, crop)
    copies = _copies(earlier, len(genes), negatives.ratio, generator)
    reasons = np.full(len(genes), "", dtype=object)
    if crop.exact:
        reasons[lengths != crop.length] = SHORTER
        copies[reasons == SHORTER] = 0
    composition = [name for name in negatives.match if name != "length"]
    if composition and bases is not None:
        windows = windows_at(genes, lengths, crop, generator)
        asked = np.repeat(np.arange(len(genes)), copies)
        wanted = matching.shares(bases, windows, composition)
        chosen = draws.matched(lengths[asked], wanted[asked], bases, composition, negatives)
        good = chosen[:, 0] != NOWHERE
        return _account(windows, chosen[good], asked[good], copies, negatives, reasons, UNMATCHED)
    first = np.flatnonzero(copies > 0)
    found = np.full((len(genes), 2), NOWHERE, np.int64)
    order = generator.permutation(first)
    found[order] = draws.place(lengths[order])
    if negatives.unplaced == "shorten" and not crop.exact:
        waiting = order[found[order, 0] == NOWHERE]
        while len(waiting):
            shorter = np.maximum((lengths[waiting] * SHRINK).astype(np.int64), 1)
            waiting, shorter = waiting[shorter >= SHORTEST], shorter[shorter >= SHORTEST]
            found[waiting] = draws.place(shorter)
            lengths[waiting] = shorter
            waiting = waiting[found[waiting, 0] == NOWHERE]
    windows = windows_at(genes, lengths, crop, generator)
    placed = first[found[first, 0] != NOWHERE]
    partners, spots = [placed], [found[placed]]
    for extra in range(2, int(copies.max(initial=0)) + 1):
        again = placed[copies[placed] >= extra]
        more = draws.place(lengths[again])
        good = more[:, 0] != NOWHERE
        partners.append(again[good])
        spots.append(more[good])
    return _account(windows, np.concatenate(spots), np.concatenate(partners), copies, negatives, reasons, NO_ROOM)


def _account(
    windows: Intervals,
    spots: Intervals,
    partners: NDArray[np.int64],
    copies: NDArray[np.int64],
    negatives: NegativesConfig,
    reasons: NDArray[np.object_],
    reason: str,
) -> Placement:
    """Leave out genes that got none of the negatives asked, unless they are to be kept, and count what is missing."""
    got = np.bincount(partners, minlength=len(windows))
    if negatives.unplaced != "keep":
        reasons[(got == 0) & (copies > 0)] = reason
    left_out = reasons != ""
    windows[left_out] = NOWHERE
    return Placement(windows, spots, partners, np.where(left_out, 0, copies - got), reasons)


def _copies(earlier: int, genes: int, ratio: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Negatives asked of each gene, shape (genes,); over all chromosomes they add up to genes x ratio, rounded down."""
    copies = np.full(genes, int(ratio), np.int64)
    extra = math.floor((earlier + genes) * ratio) - math.floor(earlier * ratio) - int(copies.sum())
    copies[generator.permutation(genes)[:extra]] += 1
    return copies


class _Draws:
    """Successive shuffles on one chromosome, each clear of what the earlier ones placed."""

    def __init__(self, excluded: Intervals, length: int, seed: int, where: tuple[str, str]) -> None:
        self._taken = excluded
        self._length = length
        self._seed = seed
        self._where = where
        self._round = 0

    def matched(
        self,
        lengths: NDArray[np.int64],
        wanted: matching.Shares,
        bases: Bytes,
        composition: Sequence[str],
        negatives: NegativesConfig,
    ) -> Intervals:
        """The best of many places for each, shape (n, 2); -1, -1 where none is within the tolerance."""
        seed = fingerprint.seed(self._seed, *self._where, "candidates")
        drawn = bedtools.shuffle(np.repeat(lengths, negatives.candidates), self._length, self._taken, seed, apart=False)
        drawn = drawn[drawn[:, 0] != NOWHERE]
        chosen = matching.choose(
            lengths, wanted, drawn, matching.shares(bases, drawn, composition), negatives.tolerance
        )
        spots = np.where((chosen >= 0)[:, None], np.append(drawn, [[NOWHERE, NOWHERE]], axis=0)[chosen], NOWHERE)
        verify(spots[chosen >= 0], lengths[chosen >= 0], self._taken, self._length)
        return spots

    def place(self, lengths: NDArray[np.int64]) -> Intervals:
        seed = fingerprint.seed(self._seed, *self._where, self._round)
        self._round += 1
        spots = bedtools.shuffle(lengths, self._length, self._taken, seed)
        placed = spots[spots[:, 0] != NOWHERE]
        verify(placed, lengths[spots[:, 0] != NOWHERE], self._taken, self._length)
        self._taken = intervals.merge(np.concatenate([self._taken, placed]))
        return spots


def verify(placed: Intervals, lengths: NDArray[np.int64], excluded: Intervals, chromosome_length: int) -> None:
    """Hold placed negatives against what was asked.

    Raises:
        AssertionError: one is out of range, of another length, in an excluded region or over another. That is a
            defect of bedtools or of this file, not of the user's data.
    """
    if len(placed) == 0:
        return
    if placed[:, 0].min() < 0 or placed[:, 1].max() > chromosome_length:
        raise AssertionError("bedtools shuffle left the chromosome")
    if not np.array_equal(placed[:, 1] - placed[:, 0], lengths):
        raise AssertionError("bedtools shuffle changed a length")
    if intervals.touches(placed, excluded).any():
        raise AssertionError("bedtools shuffle placed a negative in an excluded region")
    ordered = placed[np.argsort(placed[:, 0])]
    if (ordered[1:, 0] < ordered[:-1, 1]).any():
        raise AssertionError("bedtools shuffle placed a negative over another")
