"""The scores of one piece: its windows are cut, reverse-complemented for the other strand, scored and averaged.

Memory is that of a piece and its windows: window / stride times the piece's bases, for one strand at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import sequence
from pipelines.genome.labelled import Sequences
from training.inference.scorer import ModelScorer, Scorer
from training.scan.grid import Grid
from training.scan.pieces import Piece
from training.scan.scores import Scores, pack

MAX_UNKNOWN_SHARE = 0.5
_COMPLEMENT = np.array([3, 2, 1, 0, sequence.OTHER], np.uint8)


def score_piece(piece: Piece, genome: Sequences, grid: Grid, scorer: Scorer) -> Scores:
    """Score both strands of a piece.

    A window of which more than `MAX_UNKNOWN_SHARE` is not A, C, G or T has no score.

    Args:
        piece: bins of a sequence.
        genome: gives the bases.
        grid: window and stride.
        scorer: gives the probability of a window, read on its own strand.

    Returns:
        Shape (2, bins): forward and reverse strand, both along the forward strand.
    """
    starts = grid.starts(piece.length, piece.first, piece.last)
    middles = grid.middles(piece.length, piece.first, piece.last)
    size, offset = grid.window, int(starts[0])
    codes = sequence.base_codes(genome.sequence(piece.chromosome, offset, int(starts[-1]) + size))
    windows = np.lib.stride_tricks.sliding_window_view(codes, size)[starts - offset]
    usable = np.flatnonzero((windows == sequence.OTHER).mean(axis=1) <= MAX_UNKNOWN_SHARE)
    scores = np.full((2, len(starts)), np.nan)
    if len(usable):
        firsts = starts[usable] - offset
        scores[0, usable] = _score(codes, firsts, size, scorer)
        scores[1, usable] = _score(_COMPLEMENT[codes[::-1]], len(codes) - size - firsts, size, scorer)
    return pack(np.stack([grid.means(starts, strand, middles) for strand in scores]))


def _score(codes: NDArray[np.uint8], starts: NDArray[np.int64], size: int, scorer: Scorer) -> NDArray[np.float64]:
    """Probabilities of windows of base codes that begin at `starts`, shape (windows,)."""
    if isinstance(scorer, ModelScorer) and scorer.shares_positions(size):
        return scorer.of_windows(codes, starts, size)
    windows = np.lib.stride_tricks.sliding_window_view(codes, size)[starts]
    return scorer(windows.reshape(-1), np.full(len(starts), size, np.int64))
