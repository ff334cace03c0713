"""Candidates of two exons of a sequence, and the figures by which an intron is scored."""

from __future__ import annotations

import numpy as np

from pipelines.gene_models.genetic_code import CODON
from pipelines.genome import sequence
from pipelines.genome.sequence import Bytes
from training.scan.grid import Grid
from training.scan.orfs import candidates, spliced
from training.scan.orfs.candidates import Along, Candidates
from training.scan.orfs.settings import FrameSettings
from training.scan.orfs.splice_sites import Floats, SpliceSites
from training.scan.scores import STRANDS, Scores


def find(
    letters: Bytes, scores: Scores, grid: Grid, settings: FrameSettings, sites: SpliceSites
) -> tuple[Candidates, Floats]:
    """Find the candidates of two exons that would be genes if their intron were certain, those of the strand + first.

    Args:
        letters: ASCII of the whole sequence, shape (bases,).
        scores: of its bins on both strands, shape (2, bins).
        grid: window and stride.
        settings: codons, shortest frame, lowest mean score, and weights.
        sites: splice sites.

    Returns:
        The candidates, and the figures of their introns, shape (candidates, 4) (`SpliceWeights`).
    """
    code, found, figures = settings.code(), [], []
    stop_share, length = candidates.expected_stop_share(letters, code), len(letters)
    for strand, of_strand in zip(STRANDS, scores, strict=True):
        is_reverse = strand == "-"
        read = sequence.reverse_complement(letters) if is_reverse else letters
        frames = spliced.find(read, code, sites, settings.shortest)
        edges = [frames.starts, frames.donors, frames.acceptors, frames.ends]
        start, intron_start, intron_end, end = [length - one for one in edges[::-1]] if is_reverse else edges
        along = Along(of_strand, length, grid)
        total = along.before(end) - along.before(start)
        of_intron = along.before(intron_end) - along.before(intron_start)
        own = (total - of_intron) / frames.lengths
        of_strand_figures = np.column_stack(
            [
                frames.splice,
                own - of_intron / (intron_end - intron_start),
                np.log(intron_end - intron_start),
                np.log(frames.donors - frames.starts),
            ]
        )
        count = len(frames.starts)
        none = np.zeros(count, np.bool_)
        of_frames = Candidates(
            start,
            end,
            np.full(count, is_reverse),
            none,
            none,
            np.zeros(count, np.int64),
            own,
            frames.lengths / CODON * stop_share,
            intron_start,
            intron_end,
            sites.weights.scores(of_strand_figures),
        )
        chosen = (own >= settings.lowest) & (settings.weights.scores(own, of_frames.expected_stops) > 0)
        found.append(of_frames.taken(chosen))
        figures.append(of_strand_figures[chosen])
    return candidates.join(found), np.concatenate(figures)
