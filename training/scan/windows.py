"""The scores of one piece of a sequence: its windows cut, turned round for the other strand, scored and averaged.

Memory is that of a piece and its windows: window / stride times the piece's bases, for one strand at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import sequence
from pipelines.genome.labelled import Sequences
from training.inference.scorer import Scorer
from training.scan.grid import Grid
from training.scan.plan import Piece
from training.scan.scores import Scores, packed

MOST_UNKNOWN = 0.5
_COMPLEMENT = np.array([3, 2, 1, 0, sequence.OTHER], np.uint8)


def score(piece: Piece, genome: Sequences, grid: Grid, scorer: Scorer) -> Scores:
    """Scores of both strands.

    A window of which more than `MOST_UNKNOWN` is not A, C, G or T has no score.

    Args:
        piece: bins of a sequence.
        genome: where its bases are.
        grid: window and stride.
        scorer: gives a window's probability, read on its own strand.

    Returns:
        Shape (2, bins): forward and reverse strand, along the forward strand.
    """
    starts = grid.starts(piece.length, piece.first, piece.last)
    middles = grid.middles(piece.length, piece.first, piece.last)
    size, low = grid.window, int(starts[0])
    codes = sequence.base_codes(genome.sequence(piece.chromosome, low, int(starts[-1]) + size))
    windows = np.lib.stride_tricks.sliding_window_view(codes, size)[starts - low]
    usable = np.flatnonzero((windows == sequence.OTHER).mean(axis=1) <= MOST_UNKNOWN)
    if len(usable) < len(windows):
        windows = windows[usable]
    found = np.full((2, len(starts)), np.nan)
    if len(windows):
        found[0, usable] = _scored(windows, scorer)
        found[1, usable] = _scored(_COMPLEMENT[windows[:, ::-1]], scorer)
    return packed(np.stack([grid.means(starts, strand, middles) for strand in found]))


def _scored(windows: NDArray[np.uint8], scorer: Scorer) -> NDArray[np.float64]:
    rows, size = windows.shape
    return scorer(windows.reshape(-1), np.full(rows, size, np.int64))
