"""What of each gene is its mRNAs, or their coding sequence, and which rows belong to no such gene.

An mRNA is a row of that type, or a `transcript` that has a CDS, as GTF and AUGUSTUS write it; without a row it is the
exons and CDS that name it. CDS rows under another transcript, such as an ncRNA of PomBase, code for nothing. One pass
over the file; rows may be in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from pipelines.genome.features import SIGNS, Annotation, Feature
from pipelines.genome.gff.attributes import Names, dialect_of, gene_names, part_names
from pipelines.genome.gff.containment import Containment
from pipelines.genome.gff.rows import Rows, location

Span = Literal["mrna", "cds"]
MISSING: dict[Span, str] = {"mrna": "no_mrna", "cds": "no_cds"}
"""Why a gene is left out that has no such span, as datasets record it."""
# A stop codon is not part of the CDS in GTF, and is in GFF3.
_CODING = frozenset({"cds", "stop_codon"})
_PARTS = _CODING | {"exon"}
_TRANSCRIPTS = ("rna", "transcript", "segment", "element")


@dataclass(slots=True)
class _Reach:
    """The interval from the lowest to the highest base of rows; empty before the first."""

    start: int = 0
    end: int = 0

    def add(self, start: int, end: int) -> None:
        self.start, self.end = (min(self.start, start), max(self.end, end)) if self.end else (start, end)


@dataclass(slots=True)
class _Gene:
    feature: Feature
    mrna: _Reach = field(default_factory=_Reach)
    cds: _Reach = field(default_factory=_Reach)

    def overlaps(self, start: int, end: int) -> bool:
        return start < self.feature.end and end > self.feature.start


@dataclass(slots=True)
class _Transcript:
    """A transcript of a gene, if it is of one; what its rows reach counts for the gene once it is an mRNA."""

    gene: _Gene | None
    may_code: bool
    is_mrna: bool
    has_row: bool
    reach: _Reach = field(default_factory=_Reach)

    def add(self, start: int, end: int) -> None:
        self.reach.add(start, end)
        if self.is_mrna and self.gene:
            self.gene.mrna.add(self.reach.start, self.reach.end)

    def join(self, gene: _Gene) -> None:
        """Make it one of a gene that its own row does not name, as in AUGUSTUS' GTF, and its parts do."""
        self.gene = gene
        if self.is_mrna and self.reach.end:
            gene.mrna.add(self.reach.start, self.reach.end)


@dataclass(frozen=True, slots=True)
class _Row:
    names: Names
    start: int
    end: int
    sign: int
    kind: str
    is_gene_like: bool


@dataclass
class _Sequence:
    """The genes and transcripts of one sequence by name, and the rows that wait for theirs."""

    genes: dict[str, list[_Gene]] = field(default_factory=dict)
    derived: list[_Gene] = field(default_factory=list)
    transcripts: dict[str, _Transcript] = field(default_factory=dict)
    waiting: list[_Row] = field(default_factory=list)
    unowned: list[_Row] = field(default_factory=list)

    def add_gene(self, gene: _Gene, columns: list[str]) -> None:
        """Add a gene by every name that its row gives it. An mRNA that is taken as a gene is its own."""
        names = gene_names(columns[8], dialect_of(columns[8])).names
        for name in dict.fromkeys((gene.feature.gene_id, *names)):
            self.genes.setdefault(name, []).append(gene)
        if columns[2].lower() == "mrna":
            transcript = _Transcript(gene, may_code=True, is_mrna=True, has_row=True)
            transcript.add(gene.feature.start, gene.feature.end)
            self.transcripts.setdefault(gene.feature.gene_id, transcript)

    def gene_of(self, names: Iterable[str | None], start: int, end: int) -> _Gene | None:
        """The gene of one of these names that an interval overlaps."""
        of_names = (gene for name in names if name for gene in self.genes.get(name, ()))
        return next((gene for gene in of_names if gene.overlaps(start, end)), None)

    def take(self, row: _Row, *, is_last: bool) -> bool:
        """Add a row to its gene; whether that is known, as it is of the last round."""
        done = self._take_part(row, is_last) if row.kind in _PARTS else self._take_transcript(row, is_last)
        if not done and is_last and row.is_gene_like:
            self.unowned.append(row)
        return done

    def others(self) -> list[tuple[int, int, int]]:
        """Start, end and strand of the gene-like rows of no gene, once all rows are taken: parts give theirs a gene."""
        return [(row.start, row.end, row.sign) for row in self.unowned if not self._is_owned(row)]

    def _is_owned(self, row: _Row) -> bool:
        names = (row.names.transcript, *row.names.parents)
        transcripts = (self.transcripts[name] for name in names if name in self.transcripts)
        return any(one.gene and one.gene.overlaps(row.start, row.end) for one in transcripts)

    def _derived_holding(self, row: _Row) -> _Gene | None:
        """The first gene without a row of its own that holds all of a row, on its strand."""
        if row.sign not in self._derived_of:
            return None
        genes, containment = self._derived_of[row.sign]
        number = containment.first(row.start, row.end)
        return None if number is None else genes[number]

    @cached_property
    def _derived_of(self) -> dict[int, tuple[list[_Gene], Containment]]:
        """The genes without a row by strand; read only once all are known."""
        by_sign: dict[int, list[_Gene]] = {}
        for gene in self.derived:
            by_sign.setdefault(SIGNS.get(gene.feature.strand, 0), []).append(gene)
        return {
            sign: (genes, Containment([(gene.feature.start, gene.feature.end) for gene in genes]))
            for sign, genes in by_sign.items()
        }

    def _take_transcript(self, row: _Row, is_last: bool) -> bool:
        names = row.names
        # A row with parents is of their gene, whatever else it names.
        gene = self.gene_of(names.parents or (names.gene, *names.other_genes), row.start, row.end)
        if gene is None and is_last and not names.parents and row.kind in ("mrna", "transcript"):
            gene = self._derived_holding(row)
        if gene is None and not is_last:
            return False
        is_mrna = row.kind == "mrna"
        transcript = _Transcript(gene, is_mrna or row.kind == "transcript", is_mrna, has_row=True)
        transcript.add(row.start, row.end)
        if names.transcript:
            self.transcripts.setdefault(names.transcript, transcript)
        return gene is not None

    def _take_part(self, row: _Row, is_last: bool) -> bool:
        names, is_coding = row.names, row.kind in _CODING
        of_parents = [self.transcripts[name] for name in names.parents if name in self.transcripts]
        if not names.parents:
            if names.transcript in self.transcripts:
                of_parents = [transcript := self.transcripts[names.transcript]]
                gene = self.gene_of((names.gene, *names.other_genes), row.start, row.end)
                if transcript.gene is None and gene:
                    transcript.join(gene)
            elif names.transcript and is_last:
                gene = self.gene_of((names.gene, *names.other_genes), row.start, row.end)
                if gene is None:
                    gene = self._derived_holding(row)
                # A transcript without a row of its own.
                of_parents = [_Transcript(gene, may_code=True, is_mrna=False, has_row=False)]
                self.transcripts[names.transcript] = of_parents[0]
        for transcript in of_parents:
            _add(transcript, row, is_coding=is_coding)
        if of_parents:
            return any(one.gene and one.gene.overlaps(row.start, row.end) for one in of_parents)
        # Prokaryotes have CDS rows right under the gene.
        gene = self.gene_of(names.parents or (names.gene, *names.other_genes), row.start, row.end)
        if gene is None or (not names.parents and not is_last):
            return False
        if is_coding:
            gene.cds.add(row.start, row.end)
        return True


def _add(transcript: _Transcript, row: _Row, *, is_coding: bool) -> None:
    if is_coding and transcript.may_code and transcript.gene and transcript.gene.overlaps(row.start, row.end):
        transcript.is_mrna = True
        transcript.gene.cds.add(row.start, row.end)
        transcript.add(row.start, row.end)
    elif not transcript.has_row:
        transcript.add(row.start, row.end)


@dataclass(frozen=True)
class GeneSpans:
    """What a span other than the gene's row is of each gene.

    Attributes:
        of_gene: start and end of the span, by gene; genes without one are missing.
        others: chromosome to (start, end, strand) of every gene-like row that belongs to none of these genes.
    """

    of_gene: dict[Feature, tuple[int, int]]
    others: dict[str, list[tuple[int, int, int]]]


def read(
    path: Path,
    annotation: Annotation,
    is_gene: Callable[[str], bool],
    is_gene_like: Callable[[str], bool],
    span: Span,
) -> GeneSpans:
    """Read the span of every gene.

    Args:
        path: the file that the annotation is of.
        annotation: its genes, in file order, those without a row last.
        is_gene: whether a type of column 3 is taken as a gene.
        is_gene_like: whether negatives may not overlap a type of column 3.
        span: `mrna` or `cds`.

    Raises:
        InputError: missing or damaged file, a row that is not of nine columns (with its line number).
    """
    sequences: dict[str, _Sequence] = {}
    genes = [_Gene(feature) for feature in annotation.genes]
    with_row = iter(genes[: len(genes) - annotation.derived])
    for gene in genes[len(genes) - annotation.derived :]:
        sequence = sequences.setdefault(gene.feature.chromosome, _Sequence())
        sequence.derived.append(gene)
        sequence.genes.setdefault(gene.feature.gene_id, []).append(gene)
    for row, columns in _rows(path, is_gene, is_gene_like):
        sequence = sequences.setdefault(columns[0], _Sequence())
        if row is None:
            sequence.add_gene(next(with_row), columns)
        elif not sequence.take(row, is_last=False):
            sequence.waiting.append(row)
    for sequence in sequences.values():
        # Transcripts first, since parts are of them.
        for row in sorted(sequence.waiting, key=lambda row: row.kind in _PARTS):
            sequence.take(row, is_last=True)
    reaches = [(gene, gene.cds if span == "cds" else gene.mrna) for gene in genes]
    found = {gene.feature: (reach.start, reach.end) for gene, reach in reaches if reach.end}
    others = {name: sequence.others() for name, sequence in sequences.items()}
    for gene in genes:
        if gene.feature not in found:
            feature = gene.feature
            others[feature.chromosome].append((feature.start, feature.end, SIGNS.get(feature.strand, 0)))
    return GeneSpans(found, others)


def _rows(
    path: Path, is_gene: Callable[[str], bool], is_gene_like: Callable[[str], bool]
) -> Iterator[tuple[_Row | None, list[str]]]:
    """The rows of genes (without names, as None), of transcripts and of their parts, and all that are gene-like."""
    for number, columns in Rows(path):
        kind = columns[2].lower()
        if is_gene(columns[2]):
            yield None, columns
        elif (is_part := kind in _PARTS) or kind.endswith(_TRANSCRIPTS) or is_gene_like(columns[2]):
            names = part_names(columns[8], is_transcript=not is_part, is_exon=kind == "exon")
            sign = SIGNS.get(columns[6], 0)
            yield _Row(names, *location(columns, path, number), sign, kind, is_gene_like(columns[2])), columns
