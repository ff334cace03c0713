"""One transcript for each gene: the canonical one where the file says which, else that with the longest CDS."""

from __future__ import annotations

from pipelines.gene_models.model import Gene, Transcript
from pipelines.gene_models.remarks import Remark
from pipelines.structure.rules import TranscriptChoice

CANONICAL: tuple[Remark, ...] = ("Ensembl_canonical", "MANE_Select", "RefSeq_Select")
"""Tags of canonical transcripts, the one that counts most first."""


def chosen(gene: Gene, choice: TranscriptChoice) -> Transcript | None:
    """The transcript that stands for a gene; None if none has a CDS.

    Args:
        gene: with its transcripts; only those with a CDS are looked at.
        choice: `canonical` prefers a transcript with a tag of `CANONICAL`, then, as `longest` does, one that is not
            degraded (`nonsense_mediated_decay`), then the longest CDS, then the first name.
    """
    coding = [transcript for transcript in gene.transcripts if transcript.cds]
    if not coding:
        return None
    return min(
        coding, key=lambda one: (_rank(one, choice), "decay" in one.remarks, -_coding_bases(one), one.transcript_id)
    )


def _rank(transcript: Transcript, choice: TranscriptChoice) -> int:
    if choice == "longest":
        return 0
    return next((rank for rank, tag in enumerate(CANONICAL) if tag in transcript.remarks), len(CANONICAL))


def _coding_bases(transcript: Transcript) -> int:
    return sum(end - start for start, end in transcript.cds)
