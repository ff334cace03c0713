"""How genes become labels: the keys of the section `labels`, and the genetic code of a genome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REVISION = 1
"""Raised whenever the same annotation and rules give other labels, so that no old dataset passes for a new one."""

SPLICE_PAIRS = (("GT", "AG"), ("GC", "AG"), ("AT", "AC"))
"""The first and last two bases of introns whose sites count: of U2 introns, of their variant, and of U12 introns."""

TranscriptChoice = Literal["canonical", "longest"]


@dataclass(frozen=True)
class LabelRules:
    """Rules by which bases are labelled.

    Attributes:
        transcript: which transcript stands for its gene, as in `pipelines.structure.transcripts`.
        utr: whether untranslated bases of exons are a state of their own, or intergenic.
        pseudogenes: whether pseudogenes and genes of transposable elements are masked, or intergenic.
        noncoding: whether genes of RNA are masked, or intergenic.
        genetic_code: number of the table at NCBI.
    """

    transcript: TranscriptChoice = "canonical"
    utr: Literal["intergenic", "keep"] = "intergenic"
    pseudogenes: Literal["mask", "intergenic"] = "mask"
    noncoding: Literal["intergenic", "mask"] = "intergenic"
    genetic_code: int = 1
