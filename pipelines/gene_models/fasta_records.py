"""The coding sequence and the protein of a transcript as FASTA records, named by the transcript."""

from __future__ import annotations

from pipelines.gene_models import coding, writer
from pipelines.gene_models.coding import Fetch
from pipelines.gene_models.genetic_code import GeneticCode
from pipelines.gene_models.model import Gene, Transcript


def coding_sequence(gene: Gene, transcript: Transcript, fetch: Fetch) -> str:
    """The record of the CDS, stop codon included, with the bases before the first whole codon.

    Args:
        gene: says sequence and strand.
        transcript: of that gene, with a CDS.
        fetch: gives letters.
    """
    letters = coding.coding_letters(gene, transcript, fetch)
    return writer.fasta(
        transcript.transcript_id, description(gene, transcript), letters.tobytes().decode("ascii", "replace")
    )


def protein(gene: Gene, transcript: Transcript, fetch: Fetch, code: GeneticCode) -> str:
    """The record of the protein, without the stop; arguments as for `coding_sequence`, and the genetic code."""
    read = coding.coding_letters(gene, transcript, fetch)[transcript.phase :]
    amino_acids = code.protein(read, has_start=not transcript.is_partial_start, has_stop=not transcript.is_partial_stop)
    return writer.fasta(transcript.transcript_id, description(gene, transcript), amino_acids)


def description(gene: Gene, transcript: Transcript) -> str:
    """What a header says after the name: the gene, its place counted from 1, and which ends are missing."""
    name = gene.chromosome if gene.chromosome.isprintable() else writer.seqid(gene.chromosome)
    place = f"gene={gene.gene_id} {name}:{gene.start + 1}-{gene.end}({gene.strand})"
    return place + "".join(f" {text}" for text in missing(transcript))


def missing(transcript: Transcript) -> list[str]:
    """A transcript's missing ends: `5'-partial`, `3'-partial`."""
    ends = ((5, transcript.is_partial_start), (3, transcript.is_partial_stop))
    return [f"{end}'-partial" for end, is_missing in ends if is_missing]
