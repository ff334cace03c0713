"""The levels at which gene calls are compared, and sensitivity, precision and F1 at each.

Sensitivity is the share of what is annotated that was called; precision (once called specificity) is the share of what
was called that is annotated (Burset and Guigó 1996, doi:10.1006/geno.1996.0298). The exact definitions are in
`docs/compare.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
"""Numbers of items along the last axis: annotated, called, recovered (annotated that are found), correct (called that
are right)."""

LEVELS: Mapping[str, str] = {
    "base": "bases, either strand",
    "base_stranded": "bases, same strand",
    "exon_base": "exon bases",
    "cds_base": "CDS bases",
    "exon": "exons",
    "cds_exon": "coding exons",
    "intron": "introns",
    "intron_chain": "intron chains",
    "transcript": "transcripts",
    "cds": "coding genes, exact CDS",
    "gene": "genes, exact",
    "locus": "loci, a transcript right",
    "touched": "genes, any overlap",
    "half": "genes, half of both overlaps",
}
INDEX: Mapping[str, int] = {key: number for number, key in enumerate(LEVELS)}
EVERYTHING = "bases, everything called"
# What each level needs of a file; the others need spans only.
OF_EXONS = frozenset({"exon_base", "exon", "intron", "intron_chain", "transcript", "gene", "locus"})
OF_CDS = frozenset({"cds_base", "cds_exon", "cds"})


@dataclass(frozen=True)
class Level:
    """Agreement at one level.

    Attributes:
        name: what is compared.
        annotated: number of annotated items.
        called: number of called items.
        recovered: how many of the annotated were called.
        correct: how many of the called are annotated.
    """

    name: str
    annotated: int
    called: int
    recovered: int
    correct: int

    @property
    def sensitivity(self) -> float:
        """Share of the annotated that was called; 0 if nothing is annotated."""
        return self.recovered / self.annotated if self.annotated else 0.0

    @property
    def precision(self) -> float:
        """Share of the called that is annotated; 0 if nothing is called."""
        return self.correct / self.called if self.called else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity and precision."""
        total = self.sensitivity + self.precision
        return 2 * self.sensitivity * self.precision / total if total else 0.0


def of_sums(sums: Counts) -> dict[str, Level]:
    """The agreement at every level.

    Args:
        sums: shape (levels, 4), in the order of `LEVELS`.
    """
    return {key: Level(text, *row) for (key, text), row in zip(LEVELS.items(), sums.tolist(), strict=True)}
