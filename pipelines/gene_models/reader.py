"""Genes with their transcripts, exons and coding sequences, from GFF3, GTF, GFF2 and BED.

Which genes a file has is what a build of a dataset reads (`pipelines.genome.annotation`): the gene rows, and the genes
that only transcripts, exons or CDS imply. This module reads the file again for what is in them. Costs some 20 s for a
million rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from pipelines.display import agreeing, counted
from pipelines.errors import InputError
from pipelines.gene_models import bed_models
from pipelines.gene_models.gff_models import read_models
from pipelines.gene_models.model import Gene, Transcript
from pipelines.gene_models.selection import Selection
from pipelines.gene_models.transcript_rows import spans_within
from pipelines.genome import annotation
from pipelines.genome.features import Feature
from pipelines.inputs import contents


@dataclass
class GeneFile:
    """The genes of a file.

    Attributes:
        path: the file.
        genes: those chosen, on sequences of the genome, in file order.
        types: number of rows of each type of column 3; empty for BED.
        unused: number of rows that fed no gene, by reason.
        left_out: number of genes that do not count, by reason.
        unknown: the sequences that the genome lacks, in file order.
        derived: number of genes that have no row of their own.
        cut_off: number of genes of which bases past the end of their sequence were cut off.
    """

    path: Path
    genes: list[Gene] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    unknown: list[str] = field(default_factory=list)
    derived: int = 0
    cut_off: int = 0

    @property
    def is_coding(self) -> bool:
        """Whether any gene has a coding sequence."""
        return any(transcript.cds for gene in self.genes for transcript in gene.transcripts)

    def describe_cut_off(self) -> str:
        """Say how many genes were cut off, and why a file has such genes."""
        return (
            f"{counted(self.cut_off, 'gene')} "
            f"{agreeing(self.cut_off, 'reaches past the end of its', 'reach past the end of their')} sequence, and "
            f"{agreeing(self.cut_off, 'is cut off there: it is', 'are cut off there: they are')} of another assembly, "
            f"or {agreeing(self.cut_off, 'crosses', 'cross')} the origin of a circular sequence"
        )

    @property
    def repeated(self) -> int:
        """Number of genes with the place, exons and CDS of an earlier one."""
        distinct = {
            (
                gene.chromosome,
                gene.start,
                gene.end,
                gene.strand,
                tuple((one.exons, one.cds) for one in gene.transcripts),
            )
            for gene in self.genes
        }
        return len(self.genes) - len(distinct)


def read(
    path: Path,
    lengths: Mapping[str, int],
    selection: Selection | None = None,
    translate: Callable[[str], str] | None = None,
) -> GeneFile:
    """Read genes, of which there may be none; what lies past the end of a sequence is cut off.

    Args:
        path: GFF3, GTF, GFF2 or BED, plain or compressed; the first row decides.
        lengths: bases of every sequence of the genome; a name that is only there when decoded (`%2C`) is decoded.
        selection: which genes and transcripts count.
        translate: gives the name in the genome for the name of a sequence in the file.

    Raises:
        InputError: missing or damaged, a row that is not of its format (with its line number), biotypes of which the
            file has none.
    """
    selection = selection or Selection()
    found = GeneFile(path)
    with contents.unchanged(path):
        if annotation.format_of(path) == "BED":
            genes = bed_models.read(path)
            kinds = {number: [""] * len(gene.transcripts) for number, gene in enumerate(genes)}
            if selection.is_coding_only:
                genes = _of_types(genes, kinds, selection, found.left_out)
        else:
            models = read_models(path, selection.gene_types)
            genes = models.genes
            found.types, found.unused, found.derived = models.types, models.unused, models.derived
            genes = _of_types(genes, models.kinds, selection, found.left_out)
    genes = _of_biotypes(genes, selection.biotypes, found)
    found.genes = _placed(genes, lengths, found, translate)
    found.left_out = +found.left_out
    return found


def of_features(features: Iterable[Feature]) -> list[Gene]:
    """Intervals as genes of which nothing but their span is known."""
    return [Gene(one.gene_id, one.chromosome, one.start, one.end, one.strand, biotype=one.biotype) for one in features]


def _of_types(
    genes: Sequence[Gene], kinds: Mapping[int, Sequence[str]], selection: Selection, left_out: Counter[str]
) -> list[Gene]:
    """Genes with the transcripts that count.

    Args:
        genes: all genes.
        kinds: number of a gene to the types of its transcripts, in lower case; empty for a transcript without a row.
        selection: which transcripts count.
        left_out: counts the genes that have none, by reason.
    """
    if not selection.transcript_types and not selection.is_coding_only:
        return list(genes)
    wanted = _with_synonyms(selection.transcript_types, {kind for own in kinds.values() for kind in own})
    chosen = []
    for number, gene in enumerate(genes):
        transcripts = [
            transcript
            for transcript, kind in zip(gene.transcripts, kinds.get(number, ()), strict=True)
            if not wanted or _is_wanted(transcript, kind, wanted, selection)
        ]
        reason = "no_transcript_of_these_types"
        if transcripts and selection.is_coding_only:
            transcripts = [replace(one, exons=one.cds) for one in transcripts if one.cds]
            reason = "no_cds"
        if transcripts:
            chosen.append(_spanning(gene, transcripts))
        else:
            left_out[reason] += 1
    return chosen


def _is_wanted(transcript: Transcript, kind: str, wanted: Container[str], selection: Selection) -> bool:
    if not kind:
        return True
    # A `transcript` that stands for an mRNA is one if it codes for something.
    is_mrna = kind != "transcript" or kind in selection.transcript_types or bool(transcript.cds)
    return kind in wanted and is_mrna


def _with_synonyms(wanted: Sequence[str], present: Container[str]) -> set[str]:
    """Types of transcripts, and where a file has only `transcript` for `mRNA`, or the other way round, that."""
    types = set(wanted)
    for name, other in (("mrna", "transcript"), ("transcript", "mrna")):
        if name in types and name not in present:
            types.add(other)
    return types


def _spanning(gene: Gene, transcripts: Sequence[Transcript]) -> Gene:
    start, end = min(one.start for one in transcripts), max(one.end for one in transcripts)
    return replace(gene, start=start, end=end, transcripts=tuple(transcripts))


def _of_biotypes(genes: Sequence[Gene], biotypes: Sequence[str] | None, found: GeneFile) -> list[Gene]:
    if biotypes is None:
        return list(genes)
    requested = {biotype.lower() for biotype in biotypes}
    chosen = [gene for gene in genes if gene.biotype is not None and gene.biotype.lower() in requested]
    if genes and not chosen:
        present = Counter(gene.biotype for gene in genes if gene.biotype is not None)
        names = ", ".join(name for name, _ in present.most_common(6))
        fix = f"the file has {names}" if names else "leave biotypes out; the file has none"
        raise InputError(f"{found.path}: no gene of biotype {', '.join(biotypes)}", fix)
    found.left_out["other_biotype"] += len(genes) - len(chosen)
    return chosen


def _placed(
    genes: Sequence[Gene], lengths: Mapping[str, int], found: GeneFile, translate: Callable[[str], str] | None
) -> list[Gene]:
    """Genes on sequences of the genome, cut off at the ends of those."""
    placed = []
    unknown: dict[str, None] = {}
    for gene in genes:
        name = gene.chromosome
        own = translate(name) if translate else name
        if own not in lengths and "%" in own and unquote(own) in lengths:
            own = unquote(own)
        if own != name:
            gene = replace(gene, chromosome=own)
        length = lengths.get(own)
        if length is None:
            unknown[name] = None
            found.left_out["unknown_sequence"] += 1
        elif gene.start >= length:
            found.left_out["past_the_end"] += 1
        elif gene.start == gene.end:
            found.left_out["zero_length"] += 1
        else:
            placed.append(_cut_off(gene, length))
            found.cut_off += placed[-1] is not gene
    found.unknown = list(unknown)
    return placed


def _cut_off(gene: Gene, length: int) -> Gene:
    if gene.end <= length and all(one.end <= length for one in gene.transcripts):
        return gene
    transcripts = [
        replace(one, exons=spans_within(one.exons, length), cds=spans_within(one.cds, length))
        for one in gene.transcripts
        if one.start < length
    ]
    return replace(gene, end=min(gene.end, length), transcripts=tuple(transcripts))
