"""Whether the bases of a gene can be labelled, and if not, why."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Literal

from pipelines.gene_models.coding import Fetch, coding_letters
from pipelines.gene_models.genetic_code import GeneticCode
from pipelines.gene_models.model import Gene, Transcript, gaps
from pipelines.gene_models.validity import Defect, defects
from pipelines.structure.roles import Role

MIN_INTRON = 10
"""Shorter gaps in a CDS are corrections of its frame: the shortest introns known, of Stentor, have 15 bases."""

Flaw = Literal[
    "no_strand",
    "crosses_a_border",
    "trans_splicing",
    "ribosomal_slippage",
    "exception",
    "partial",
    "overlapping_cds_parts",
    "cds_outside_of_exons",
    "short_intron",
    "cds_not_multiple_of_three",
    "inner_stop",
    "no_start_codon",
    "no_stop_codon",
]
"""Why a coding gene is masked; of several, the first counts."""
GeneReason = Literal["labelled", "excluded"] | Flaw | Role

_OF_DEFECT: dict[Defect, Flaw] = {
    "not a multiple of three": "cds_not_multiple_of_three",
    "stop inside": "inner_stop",
    "no start codon": "no_start_codon",
    "no stop codon": "no_stop_codon",
}


def flaw(gene: Gene, transcript: Transcript, code: GeneticCode, fetch: Fetch) -> Flaw | None:
    """Why a coding gene cannot be labelled; None if it can.

    Args:
        gene: wholly within its stretch.
        transcript: the one that stands for it, with a CDS.
        code: genetic code.
        fetch: gives the letters of the gene.
    """
    return _said(gene, transcript) or _shape(transcript) or _reading(gene, transcript, code, fetch)


def _said(gene: Gene, transcript: Transcript) -> Flaw | None:
    """What the file says of it."""
    if gene.strand not in ("+", "-"):
        return "no_strand"
    remarks = gene.remarks | transcript.remarks
    # Parts on both strands come as two transcripts of one name.
    names = Counter(one.transcript_id for one in gene.transcripts)
    if "trans_splicing" in remarks or names[transcript.transcript_id] > 1:
        return "trans_splicing"
    if "ribosomal_slippage" in remarks:
        return "ribosomal_slippage"
    if "exception" in remarks:
        return "exception"
    is_partial = transcript.is_partial_start or transcript.is_partial_stop or transcript.phase > 0
    return "partial" if is_partial or "partial" in transcript.remarks else None


def _shape(transcript: Transcript) -> Flaw | None:
    """What is wrong with where its parts lie."""
    cds = transcript.cds
    if any(after[0] < before[1] for before, after in itertools.pairwise(cds)):
        return "overlapping_cds_parts"
    exons = iter(transcript.exons)
    low, high = next(exons)
    for start, end in cds:
        while start >= high:
            low, high = next(exons, (start, end + 1))
        if start < low or end > high:
            return "cds_outside_of_exons"
    return "short_intron" if any(end - start < MIN_INTRON for start, end in gaps(cds)) else None


def _reading(gene: Gene, transcript: Transcript, code: GeneticCode, fetch: Fetch) -> Flaw | None:
    """What is wrong with what it codes for."""
    found = {_OF_DEFECT[one] for one in defects(transcript, coding_letters(gene, transcript, fetch), code)}
    return next((one for one in _OF_DEFECT.values() if one in found), None)
