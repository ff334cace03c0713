"""What decides which reading frames are genes: codons, lengths, and the weights of a frame's score.

The score of a frame is the log-odds that it is a gene, from two figures: the logit of its mean score in the scan, and
its length. Length is counted in the stop codons that a random sequence of the same bases would have in it, so that it
means as much in a genome rich in G and C, where chance frames are longer, and in a code with fewer stops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.errors import UsageError
from pipelines.gene_models.genetic_code import STANDARD, GeneticCode, code_with_starts, genetic_code
from training.scan.orfs.splice_sites import SpliceSites

Floats = NDArray[np.float64]
START_CODONS = ("ATG",)
# Added to and taken from a mean, so that its logit is finite.
EPSILON = 0.02
# A frame free of more expected stops than this is no surer a gene: 900 bases in S. cerevisiae.
ENOUGH_STOPS = 20


@dataclass(frozen=True)
class Weights:
    """Weights of a frame's score; the defaults are those of validation chromosomes of S. cerevisiae.

    Attributes:
        constant: added to every score, so that genes are above 0.
        own: of the logit of the mean score on the frame's strand.
        length: of the logarithm of its expected stop codons over `ENOUGH_STOPS`, at most 0.

    Raises:
        UsageError: one is not a number.
    """

    constant: float = 5.27
    own: float = 0.19
    length: float = 4.31

    def __post_init__(self) -> None:
        if not all(type(value) in (int, float) and math.isfinite(value) for value in vars(self).values()):
            raise UsageError("weights of reading frames: not numbers", "fit them again with --fit-orfs")

    def scores(self, own: Floats, expected_stops: Floats) -> Floats:
        """The score of frames: log-odds that they are genes, above 0 for those to be called.

        Args:
            own: mean score on the frame's strand, 0 to 1, shape (frames,).
            expected_stops: stop codons that chance would put in it, shape (frames,).
        """
        return figures(own, expected_stops) @ np.array([self.own, self.length]) + self.constant


def figures(own: Floats, expected_stops: Floats) -> Floats:
    """The figures that have weights, shape (frames, 2); arguments as for `Weights.scores`."""
    logit = np.log((own + EPSILON) / (1 + EPSILON - own))
    # A sequence without A and T has no stop.
    return np.column_stack([logit, np.log(np.clip(expected_stops / ENOUGH_STOPS, 1e-9, 1))])


@dataclass(frozen=True)
class FrameSettings:
    """How reading frames are chosen.

    Attributes:
        genetic_code: NCBI's number.
        start_codons: of frames; empty for all of the table.
        shortest: bases of the shortest frame, stop codon included.
        lowest: mean score that a frame has at least.
        start_score: mean score below which what lies before a later start codon speaks for that one.
        start_margin: by how much it has to, in bases times score, before the first start codon is given up.
        overlap: bases that two neighbouring genes may share.
        weights: of the scores.
        splice: splice sites for frames of two exons; None for frames of one exon alone.

    Raises:
        UsageError: no such table, a start codon that is none, or a length below 1.
    """

    genetic_code: int = STANDARD
    start_codons: tuple[str, ...] = START_CODONS
    shortest: int = 90
    lowest: float = 0.15
    start_score: float = 0.2
    start_margin: float = 30.0
    overlap: int = 30
    weights: Weights = field(default_factory=Weights)
    splice: SpliceSites | None = None

    def __post_init__(self) -> None:
        if self.shortest < 1:
            raise UsageError(f"shortest reading frame {self.shortest}: below 1", "choose another")
        self.code()

    def code(self) -> GeneticCode:
        """The genetic code with these start codons."""
        if not self.start_codons:
            return genetic_code(self.genetic_code)
        return code_with_starts(self.genetic_code, self.start_codons)

    def record(self) -> dict[str, Any]:
        """The settings as they are written, with the start codons by name."""
        record = vars(self) | {"start_codons": list(self.code().starts), "weights": vars(self.weights)}
        del record["splice"]
        if self.splice:
            digest = fingerprint.of_value(self.splice.document())
            record["splice"] = {"learnt_from": self.splice.learnt_from, "sha256": digest}
        return record
