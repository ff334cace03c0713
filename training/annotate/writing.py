"""Decoded genes, numbered and written: GFF3, GTF, proteins and coding sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from pipelines import storage
from pipelines.gene_models import fasta_records, writer
from pipelines.gene_models.coding import Fetch
from pipelines.gene_models.genetic_code import GeneticCode
from pipelines.gene_models.model import Gene
from training.annotate.outputs import Counts, Outputs
from training.decoding.called import CalledGene


def write(
    outputs: Outputs,
    genes: Iterable[CalledGene],
    lengths: Mapping[str, int],
    processor: str,
    fetch: Fetch,
    code: GeneticCode,
    min_score: float,
    tell: Callable[[Gene], None] | None = None,
) -> Counts:
    """Write the models as every format that is requested, each file whole or not at all.

    Genes are numbered before those of low scores are left out, so that a gene keeps its id whatever the lowest score.

    Args:
        outputs: paths of the files.
        genes: decoded, in the order in which they are written.
        lengths: bases of every sequence.
        processor: what the GFF3 says wrote it.
        fetch: gives letters.
        code: the genetic code.
        min_score: genes with a lower score are left out.
        tell: gets every gene that is written.
    """
    counts = Counts(bases=sum(lengths.values()))
    with ExitStack() as open_files:

        def opened(path: Path | None) -> TextIO | None:
            if path is None:
                return None
            temporary = open_files.enter_context(storage.replacing(path))
            return open_files.enter_context(temporary.open("w", encoding="utf-8", newline="\n"))

        gff3, gtf = opened(outputs.gff3), opened(outputs.gtf)
        proteins, cds = opened(outputs.proteins), opened(outputs.cds)
        assert gff3 is not None
        gff3.writelines(writer.gff3_header(lengths, processor))
        for called in numbered(genes):
            if called.support < min_score:
                counts.left_out += 1
                continue
            gene, transcript = called.gene, called.transcript
            gff3.write(writer.gff3(gene, cds_scores=[called.exon_support]))
            if gtf:
                gtf.write(writer.gtf(gene))
            if proteins:
                proteins.write(fasta_records.protein(gene, transcript, fetch, code))
            if cds:
                cds.write(fasta_records.coding_sequence(gene, transcript, fetch))
            _count(gene, counts)
            if tell:
                tell(gene)
    return counts


def numbered(genes: Iterable[CalledGene]) -> Iterator[CalledGene]:
    """Genes in their order, named by their number in it."""
    for number, called in enumerate(genes, 1):
        yield replace(called, gene=named(called.gene, f"raygene_{number:06d}"))


def named(gene: Gene, name: str) -> Gene:
    """A gene of one transcript with a name, which is the first part of its transcript's."""
    return replace(gene, gene_id=name, transcripts=(replace(gene.transcripts[0], transcript_id=f"{name}.t1"),))


def _count(gene: Gene, counts: Counts) -> None:
    transcript = gene.transcripts[0]
    is_partial = transcript.is_partial_start or transcript.is_partial_stop
    counts.genes[gene.strand] += 1
    counts.partial += is_partial
    counts.complete += not is_partial
    counts.spliced += bool(transcript.coding_introns)
    counts.coding_bases += sum(end - start for start, end in transcript.cds)
