"""One candidate for each open frame of a sequence: where it starts, its mean score and its length.

A bin's score counts for each of its bases; a bin without a score counts as 0. A frame is read from its first start
codon, which is nearly always the right one. It is given up for a later one if the score before that is low enough
(`FrameSettings.start_margin`), and for the sequence's end, where that cuts the frame, if the score is high enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.gene_models import open_frames
from pipelines.gene_models.genetic_code import CODON, GeneticCode
from pipelines.gene_models.model import Spans
from pipelines.gene_models.open_frames import Flags, Integers, OpenFrames
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes
from training.scan.grid import Grid
from training.scan.orfs.settings import Floats, FrameSettings
from training.scan.scores import NO_SCORE, SCALE, STRANDS, Scores


@dataclass(frozen=True)
class Candidates:
    """Frames of both strands of one sequence; every array has shape (candidates,).

    Attributes:
        starts, ends: on the forward strand, 0-based half-open, stop codon included.
        is_reverse: whether each is on the strand -.
        is_cut_start, is_cut_stop: whether the 5' and the 3' end lie beyond the sequence's end or a gap.
        phases: bases before the first whole codon.
        own: mean score over the frame on its strand, 0 to 1.
        expected_stops: stop codons in a random sequence of its length, with the bases of the whole sequence.
        intron_starts, intron_ends: of the intron on the forward strand; both 0 for a frame of one exon.
        added: to the score, for its intron.
    """

    starts: Integers
    ends: Integers
    is_reverse: Flags
    is_cut_start: Flags
    is_cut_stop: Flags
    phases: Integers
    own: Floats
    expected_stops: Floats
    intron_starts: Integers
    intron_ends: Integers
    added: Floats

    @property
    def lengths(self) -> Integers:
        """Bases of each, without the intron."""
        return self.ends - self.starts - (self.intron_ends - self.intron_starts)

    @property
    def has_intron(self) -> Flags:
        """Whether each has an intron."""
        return self.intron_ends > self.intron_starts

    def spans(self, index: int) -> Spans:
        """The exons of one of them."""
        start, end = int(self.starts[index]), int(self.ends[index])
        intron_start, intron_end = int(self.intron_starts[index]), int(self.intron_ends[index])
        return ((start, intron_start), (intron_end, end)) if intron_start < intron_end else ((start, end),)

    def taken(self, indices: NDArray[np.int64] | Flags) -> Candidates:
        """Some of them."""
        return Candidates(*(getattr(self, name)[indices] for name in self.__dataclass_fields__))


class Along:
    """The sum of a strand's scores up to any base.

    Args:
        scores: of the bins, shape (bins,).
        length: bases of the sequence.
        grid: window and stride.
    """

    def __init__(self, scores: NDArray[np.uint16], length: int, grid: Grid) -> None:
        self._edges = grid.edges(length, 0, len(scores))
        known = np.where(scores == NO_SCORE, 0, scores).astype(np.int64)
        self._sums = np.append(0, np.cumsum(known * np.diff(self._edges))) / SCALE

    def before(self, positions: Integers) -> Floats:
        """The sum over all bases before each position."""
        return np.interp(positions, self._edges, self._sums)

    def means(self, starts: Integers, ends: Integers) -> Floats:
        """The mean over each interval, none empty."""
        return (self.before(ends) - self.before(starts)) / (ends - starts)


def find(letters: Bytes, scores: Scores, grid: Grid, settings: FrameSettings) -> Candidates:
    """Find the candidates of a sequence, those of the strand + first.

    Args:
        letters: ASCII of the whole sequence, shape (bases,).
        scores: of its bins on both strands, shape (2, bins).
        grid: window and stride.
        settings: codons, shortest frame, and choice of starts.
    """
    code, found = settings.code(), []
    stop_share = expected_stop_share(letters, code)
    for strand, of_strand in zip(STRANDS, scores, strict=True):
        own = Along(of_strand, len(letters), grid)
        frames = open_frames.find(letters, strand, code, settings.shortest)
        starts, is_cut_start = _choose_starts(frames, own, settings)
        first, last = frames.forward(starts, frames.ends)
        none = np.zeros(len(frames), np.int64)
        candidates = Candidates(
            first,
            last,
            np.full(len(frames), strand == "-"),
            is_cut_start,
            frames.is_cut_stop,
            np.where(is_cut_start, frames.phases, 0),
            own.means(first, last),
            (last - first) / CODON * stop_share,
            none,
            none,
            none.astype(np.float64),
        )
        found.append(candidates.taken(candidates.lengths >= settings.shortest))
    return join(found)


def join(parts: Sequence[Candidates]) -> Candidates:
    """All candidates of several sets, in their order."""
    return Candidates(*(np.concatenate(column) for column in zip(*(vars(one).values() for one in parts), strict=True)))


def expected_stop_share(letters: Bytes, code: GeneticCode) -> float:
    """The share of codons that are stops in a random sequence with as many A and T as this one, on both strands."""
    codes = np.bincount(sequence.base_codes(letters), minlength=sequence.OTHER + 1)
    weak, strong = int(codes[0] + codes[3]), int(codes[1] + codes[2])
    # One more of each, so that a sequence without any letter known is an even one.
    share = (weak + 1) / (weak + strong + 2)
    weights = {"A": share / 2, "T": share / 2, "C": (1 - share) / 2, "G": (1 - share) / 2}
    return sum(math.prod(weights[base] for base in codon) for codon in code.stops)


def _choose_starts(frames: OpenFrames, own: Along, settings: FrameSettings) -> tuple[Integers, Flags]:
    """Where each frame starts, in reading direction, and whether the sequence's end cuts it there. Shape (frames,).

    What a start is worth is the sum over its frame of score less `start_score`; the first start codon has a margin.
    """

    def worth_of(starts: Integers) -> Floats:
        sign, positions = (-1, frames.length - starts) if frames.strand == "-" else (1, starts)
        # The rest of the frame is the same for all of its starts.
        return -sign * (own.before(positions) - settings.start_score * positions)

    firsts, lasts = frames.first_starts[:-1], frames.first_starts[1:]
    has_start, is_cut = lasts > firsts, frames.cut_starts >= 0
    chosen, best = np.full(len(frames), -1), np.full(len(frames), -np.inf)
    worth = worth_of(frames.starts)
    worth[firsts[has_start]] += settings.start_margin
    if has_start.any():
        # The best of each frame, and among equals the first.
        frame = np.repeat(np.arange(len(frames)), lasts - firsts)
        best[has_start] = np.maximum.reduceat(worth, firsts[has_start])
        is_best = np.flatnonzero(worth == best[frame])
        of_frame, index = np.unique(frame[is_best], return_index=True)
        chosen[of_frame] = frames.starts[is_best[index]]
    from_cut = is_cut.copy()
    from_cut[is_cut] = worth_of(frames.cut_starts[is_cut]) > best[is_cut]
    return np.where(from_cut, frames.cut_starts, chosen), from_cut
