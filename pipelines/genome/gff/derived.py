"""Genes that have no row of their own, derived from transcripts, or from exons and CDS where there are none.

Rows that name one gene, on one sequence and strand, are that gene. Two places of one name are two genes if a transcript
is at both (`NR_1` and `NR_1_2` of UCSC are copies), if another gene lies between them, or if more than `FAR` bases do.
Rows that name only a transcript are a gene of their own; those that overlap and whose names differ only in the number
of an isoform are one. A `Parent` that the file lacks stands for its gene, unless its sequence has gene rows.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path

from pipelines.genome.features import Annotation, Feature
from pipelines.genome.gff.attributes import Names, quick_value
from pipelines.genome.gff.rows import Rows

# Bases between two places of one gene name beyond which they are two genes; StringTie's fragments lie closer.
FAR = 10_000
_COPY = re.compile(r"_(dup)?\d+$")
_ISOFORM = re.compile(r"(?:\.t?\d+|[-_.][tT]\d+|-R[A-Z]{1,2}|-mRNA-?\d+|_mRNA_?\d*)$")


@dataclass(slots=True)
class Part:
    """A transcript, or the exons and CDS of one, whose gene has no row so far: its span and what its rows name."""

    names: Names
    start: int
    end: int
    strand: str
    number: int
    is_transcript: bool
    rows: int = 1
    first_exon: tuple[str, str, int, int] | None = None

    def widen(self, start: int, end: int, names: Names) -> None:
        self.start, self.end, self.rows = min(self.start, start), max(self.end, end), self.rows + 1
        self.names.biotype = self.names.biotype or names.biotype


@dataclass
class SequenceRows:
    """What is known of the genes of one sequence while its rows are read.

    Attributes:
        genes: names of genes that have a row, with the span of all rows of the name.
        gene_rows: start, end and strand of every gene row, whatever its type.
        known: names of transcripts that belong to one of these genes.
        others: names of rows of another type whose parts belong to no gene of a requested type.
        transcripts: rows of transcripts whose gene is not among `genes` so far.
        by_name: those that have a name.
        parts: the exons and CDS of transcripts that have no row so far.
        copies: complete parts of transcripts whose name occurs again elsewhere.
        shared: the transcripts of rows that several share (`Parent=t1,t2`), and which are isoforms of one gene.
    """

    genes: dict[str, list[int]] = field(default_factory=dict)
    gene_rows: list[tuple[int, int, str]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    transcripts: list[Part] = field(default_factory=list)
    by_name: dict[str, Part] = field(default_factory=dict)
    parts: dict[tuple[str, str | None, str | None], Part] = field(default_factory=dict)
    copies: list[Part] = field(default_factory=list)
    shared: set[tuple[str, ...]] = field(default_factory=set)

    def takes(self, parent: str) -> bool:
        """Whether a parent is a gene, or a transcript that has a row; a transcript counts the row."""
        if parent in self.known or parent in self.genes:
            return True
        transcript = self.by_name.get(parent)
        if transcript is None:
            return False
        transcript.rows += 1
        return True

    def add_transcript(self, names: Names, start: int, end: int, strand: str, number: int) -> None:
        part = Part(names, start, end, strand, number, is_transcript=True)
        self.transcripts.append(part)
        if names.transcript:
            self.by_name.setdefault(names.transcript, part)

    def name_gene(self, names: Names) -> bool:
        """Tell the row of a transcript which gene its exons name; whether there is such a row."""
        part = self.by_name.get(names.transcript or "")
        if part is None:
            return False
        part.rows += 1
        part.names.gene = part.names.gene or names.gene
        return True

    def add_part(self, names: Names, start: int, end: int, strand: str, number: int, kind: str) -> None:
        key = (strand, names.transcript, names.gene)
        exon = (kind, names.exon, start, end) if names.exon else None
        part = self.parts.get(key)
        if part and exon and part.first_exon and _is_again(exon, part.first_exon):
            # UCSC gives every copy of a transcript one name: the first exon again, elsewhere, begins the next copy.
            self.copies.append(part)
            part = None
        if part is None:
            self.parts[key] = Part(names, start, end, strand, number, is_transcript=False, first_exon=exon)
        else:
            part.widen(start, end, names)


def _is_again(exon: tuple[str, str, int, int], first: tuple[str, str, int, int]) -> bool:
    return exon[:2] == first[:2] and (exon[3] <= first[2] or exon[2] >= first[3])


@dataclass
class _Locus:
    """Parts of one gene at one place."""

    parts: list[Part]
    start: int
    end: int

    def join(self, other: _Locus) -> None:
        self.parts += other.parts
        self.end = max(self.end, other.end)


def derive(annotation: Annotation, sequences: Mapping[str, SequenceRows], path: Path, dialect: str) -> None:
    """Add the genes that have no row; count the rows that belong to none, by reason.

    Args:
        annotation: with the genes that have a row.
        sequences: what the file has on each sequence.
        path: the file; read again if rows name parents of unknown type on a sequence without gene rows.
        dialect: that of the first row.
    """
    pending = {name: [*_without_gene(rows, annotation)] for name, rows in sequences.items()}
    pending = {name: parts for name, parts in pending.items() if parts}
    if not pending:
        return
    parents = {
        (name, parent)
        for name, parts in pending.items()
        if not sequences[name].gene_rows
        for part in parts
        for parent in part.names.parents
    }
    of_other_types = _rows_named(path, parents)
    genes: list[tuple[int, Feature, list[Part]]] = []
    for chromosome, parts in pending.items():
        orphans = []
        for part in parts:
            if part.names.parents and sequences[chromosome].gene_rows:
                # The rest of the gene is cut off, so that nobody knows where it ends.
                annotation.unused["parent_is_no_gene"] += part.rows
            elif any((chromosome, parent) in of_other_types for parent in part.names.parents):
                annotation.unused["gene_of_other_type"] += part.rows
            else:
                orphans.append(part)
        genes += _genes_of(chromosome, orphans, sequences[chromosome], annotation)
    genes.sort(key=lambda numbered: numbered[0])
    derived = [gene for _, gene, _ in genes]
    if derived and (annotation.genes or dialect != "GTF" or derived != _by_gene_id(pending)):
        annotation.rules.add("genes without a row")
    annotation.derived = len(derived)
    annotation.derived_from = [{(part.names.transcript, part.names.gene) for part in parts} for _, _, parts in genes]
    for gene in derived:
        annotation.genes.append(gene)
        annotation.exclude(gene.chromosome, gene.start, gene.end, gene.strand)


def _without_gene(rows: SequenceRows, annotation: Annotation) -> Iterator[Part]:
    """The transcripts and parts of a sequence whose gene has no row; now that all rows are read."""
    # Parts first: they tell transcripts their gene and the number of their rows.
    for part in [*rows.copies, *rows.parts.values(), *rows.transcripts]:
        names = part.names
        if part.is_transcript:
            if any(parent in rows.by_name and rows.by_name[parent] is not part for parent in names.parents):
                annotation.unused["inside_a_transcript"] += part.rows
                continue
        elif transcript := next((rows.by_name[name] for name in _transcripts(names) if name in rows.by_name), None):
            transcript.rows += part.rows
            transcript.names.gene = transcript.names.gene or names.gene
            continue
        if any(parent in rows.genes or parent in rows.known for parent in names.parents):
            continue
        genes = [name for name in (names.gene, *names.other_genes) if name]
        if any(_overlaps(part, rows.genes[gene]) for gene in genes if gene in rows.genes):
            continue
        if any(name in rows.others and name not in rows.genes for name in (*names.parents, *genes)):
            annotation.unused["gene_of_other_type"] += part.rows
            continue
        yield part


def _transcripts(names: Names) -> list[str]:
    return names.parents or ([names.transcript] if names.transcript else [])


def _overlaps(part: Part, span: list[int]) -> bool:
    return part.start < span[1] and part.end > span[0]


def _rows_named(path: Path, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these sequences and names a row of any type has as its ID."""
    found: set[tuple[str, str]] = set()
    if wanted:
        for _, columns in Rows(path):
            own = quick_value(columns[8], "ID=", ";")
            if own and (columns[0], own) in wanted:
                found.add((columns[0], own))
    return found


def _genes_of(
    chromosome: str, parts: list[Part], rows: SequenceRows, annotation: Annotation
) -> Iterator[tuple[int, Feature, list[Part]]]:
    """The genes of one sequence, each with the number of the first row it is derived from, and its parts."""
    groups: dict[tuple[str, str, bool], list[Part]] = {}
    isoforms = _isoforms(rows.shared)
    for part in sorted(parts, key=lambda part: part.number):
        name, is_named = _group(part, isoforms)
        groups.setdefault((name, part.strand, is_named), []).append(part)
    loci = {key: _overlapping(parts) for key, parts in groups.items()}
    between = _Between([*rows.gene_rows, *((locus.start, locus.end, "") for found in loci.values() for locus in found)])
    inside = _Inside(rows.gene_rows)
    for (name, strand, is_named), found in loci.items():
        if is_named:
            found = _joined(found, between)
            span = rows.genes.get(name)
            found = [locus for locus in found if span is None or between.separates(locus, span)]
        for locus in found:
            if not is_named and inside(locus.start, locus.end, strand):
                annotation.unused["inside_a_gene"] += sum(part.rows for part in locus.parts)
                continue
            deciding = [part for part in locus.parts if part.is_transcript] or locus.parts
            start, end = min(part.start for part in deciding), max(part.end for part in deciding)
            biotype = next((part.names.biotype for part in deciding if part.names.biotype), None)
            gene_id = _gene_id(name, deciding, is_named=is_named)
            gene_id = gene_id or f"{annotation.decoded(chromosome)}:{start}-{end}"
            yield deciding[0].number, Feature(chromosome, start, end, strand, gene_id, biotype), locus.parts


def _isoforms(shared: set[tuple[str, ...]]) -> dict[str, str]:
    """Each transcript that shares rows with others to the first, by name, of all that are connected so."""
    first: dict[str, str] = {}

    def root(name: str) -> str:
        while first.setdefault(name, name) != name:
            first[name] = first[first[name]]
            name = first[name]
        return name

    for names in shared:
        roots = {root(name) for name in names}
        first |= dict.fromkeys(roots, min(roots))
    return {name: root(name) for name in [*first]}


def _group(part: Part, isoforms: Mapping[str, str]) -> tuple[str, bool]:
    """What parts of one gene have in common, and whether that is the name of the gene."""
    names = part.names
    if names.gene and names.gene != names.transcript:
        return names.gene, True
    if names.gene and names.symbol and names.symbol != names.gene:
        return names.symbol, True
    if names.transcript and names.transcript in isoforms:
        return isoforms[names.transcript], True
    if names.transcript:
        return _ISOFORM.sub("", names.transcript) or names.transcript, False
    return f"\t{part.number}", False


def _gene_id(name: str, parts: list[Part], *, is_named: bool) -> str | None:
    own = {part.names.gene if is_named else part.names.transcript for part in parts}
    single = own.pop() if len(own) == 1 else name
    return single or (name if is_named else None)


def _overlapping(parts: list[Part]) -> list[_Locus]:
    """Parts that overlap, directly or through others, as one locus each, sorted."""
    loci: list[_Locus] = []
    for part in sorted(parts, key=lambda part: (part.start, part.number)):
        locus = _Locus([part], part.start, part.end)
        if loci and part.start < loci[-1].end:
            loci[-1].join(locus)
        else:
            loci.append(locus)
    for locus in loci:
        locus.parts.sort(key=lambda part: part.number)
    return loci


class _Between:
    """Whether a gene lies between two places.

    Args:
        spans: start, end and anything else of every gene of a sequence.
    """

    def __init__(self, spans: list[tuple[int, int, str]]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _, _ in ordered]
        # The first end of this and all later spans.
        self._ends = [*accumulate((end for _, end, _ in reversed(ordered)), min)][::-1]

    def separates(self, locus: _Locus, span: list[int]) -> bool:
        """Whether a locus and a span that do not overlap are places of their own."""
        first, last = sorted([(locus.start, locus.end), (span[0], span[1])])
        return last[0] - first[1] > FAR or self.has_gene(first[1], last[0])

    def has_gene(self, start: int, end: int) -> bool:
        at = bisect_left(self._starts, start)
        return at < len(self._starts) and self._ends[at] <= end


class _Inside:
    """Whether an interval lies within a gene row of its strand."""

    def __init__(self, rows: Iterable[tuple[int, int, str]]) -> None:
        self._by_strand: dict[str, tuple[list[int], list[int]]] = {}
        for start, end, strand in sorted(rows):
            starts, ends = self._by_strand.setdefault(strand, ([], []))
            starts.append(start)
            ends.append(max(end, ends[-1]) if ends else end)

    def __call__(self, start: int, end: int, strand: str) -> bool:
        starts, ends = self._by_strand.get(strand, ([], []))
        at = bisect_right(starts, start) - 1
        return at >= 0 and ends[at] >= end


def _joined(loci: list[_Locus], between: _Between) -> list[_Locus]:
    """Neighbouring loci of one name joined where they are fragments of one gene and not two places."""
    if len(loci) < 2:
        return loci
    names = {part.names.transcript for locus in loci for part in locus.parts}
    joined = [loci[0]]
    originals = _originals(loci[0], names)
    for locus in loci[1:]:
        own = _originals(locus, names)
        if own & originals or between.separates(locus, [joined[-1].start, joined[-1].end]):
            joined.append(locus)
            originals = own
        else:
            joined[-1].join(locus)
            joined[-1].parts.sort(key=lambda part: part.number)
            originals |= own
    return joined


def _originals(locus: _Locus, names: set[str | None]) -> set[str]:
    """The transcripts of a locus; a copy under the name of its original."""
    originals = set()
    for part in locus.parts:
        if name := part.names.transcript:
            copy = _COPY.search(name)
            original = name[: copy.start()] if copy else name
            originals.add(original if copy and (copy[1] or original in names) else name)
    return originals


def _by_gene_id(pending: Mapping[str, list[Part]]) -> list[Feature]:
    """The genes as one gene_id a sequence and strand: what most files of transcripts say, and all did before."""
    numbered = sorted(
        ((part, name) for name, parts in pending.items() for part in parts), key=lambda item: item[0].number
    )
    has_transcripts = any(part.is_transcript for part, _ in numbered)
    genes: dict[tuple[str | None, str, str], Feature] = {}
    for part, chromosome in numbered:
        if part.is_transcript != has_transcripts:
            continue
        gene_id = part.names.gtf_name or (f"{chromosome}:{part.start}-{part.end}" if has_transcripts else None)
        key = (gene_id, chromosome, part.strand)
        gene = Feature(chromosome, part.start, part.end, part.strand, gene_id or "", part.names.biotype)
        if before := genes.get(key):
            start, end = min(gene.start, before.start), max(gene.end, before.end)
            gene = replace(before, start=start, end=end, biotype=before.biotype or gene.biotype)
        genes[key] = gene
    return [*genes.values()]
