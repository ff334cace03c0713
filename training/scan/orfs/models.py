"""The gene models of a sequence: its reading frames that the scores say are genes."""

from __future__ import annotations

import numpy as np

from pipelines.genome.sequence import Bytes
from training.scan.grid import Grid
from training.scan.orfs import candidates, schedule, spliced_candidates
from training.scan.orfs.candidates import Candidates
from training.scan.orfs.settings import Floats, FrameSettings
from training.scan.scores import Scores


def find(letters: Bytes, scores: Scores, grid: Grid, settings: FrameSettings) -> tuple[Candidates, Floats]:
    """Find the genes of a sequence.

    Args:
        letters: ASCII of the whole sequence, shape (bases,).
        scores: of its bins on both strands, shape (2, bins).
        grid: window and stride.
        settings: how frames are chosen.

    Returns:
        The frames that are genes, sorted by start, end and strand, and the score of each.
    """
    found = candidates.find(letters, scores, grid, settings)
    if settings.splice:
        found = candidates.join([found, spliced_candidates.find(letters, scores, grid, settings, settings.splice)[0]])
    return choose(found, settings)


def choose(found: Candidates, settings: FrameSettings) -> tuple[Candidates, Floats]:
    """The genes among the candidates of a sequence, sorted by start, end and strand, and the score of each.

    Of frames that overlap, those stay whose bases have the larger sum of scores.
    """
    scores = settings.weights.scores(found.own, found.expected_stops) + found.added
    weights = np.where(found.own >= settings.lowest, scores * found.lengths, 0)
    chosen = schedule.best_set(found.starts, found.ends, weights, min(settings.overlap, settings.shortest - 1))
    chosen = chosen[np.lexsort((found.is_reverse[chosen], found.ends[chosen], found.starts[chosen]))]
    return found.taken(chosen), scores[chosen]
