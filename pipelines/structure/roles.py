"""What a gene of an annotation is: coding, RNA, pseudogene, or unknown; from its type, biotype and transcripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pipelines.gene_models.model import Gene
from pipelines.gene_models.selection import Selection
from pipelines.gene_models.transcript_rows import may_code

Role = Literal["coding", "pseudogene", "transposable_element", "noncoding", "no_cds"]

SELECTION = Selection(types=("gene", "*RNA_gene", "*pseudogene", "protein_coding_gene", "transposable_element_gene"))
"""The genes to read for labels: all of them, because those that are not labelled may have to be masked."""

_TRANSPOSONS = ("transposable_element", "transposon")


def role(gene: Gene) -> Role:
    """What a gene is.

    Returns:
        `coding` for one with a CDS of an mRNA; `no_cds` for one that codes for a protein, or may, and of which the file
        does not say where.
    """
    if "pseudo" in gene.remarks or any("pseudogen" in word for word in _words(gene)):
        return "pseudogene"
    if any(name in word for word in _words(gene) for name in _TRANSPOSONS):
        return "transposable_element"
    kinds = [transcript.kind for transcript in gene.transcripts]
    if any(transcript.cds for transcript in gene.transcripts):
        return "coding"
    if kinds and all("pseudogen" in one.kind or "pseudo" in one.remarks for one in gene.transcripts):
        return "pseudogene"
    if gene.biotype and gene.biotype.lower() != "protein_coding":
        return "noncoding"
    if gene.kind not in ("", "gene", "protein_coding_gene"):
        return "noncoding"
    return "no_cds" if not kinds or gene.biotype or any(not kind or may_code(kind) for kind in kinds) else "noncoding"


def _words(gene: Gene) -> Iterator[str]:
    yield gene.kind
    yield (gene.biotype or "").lower()
