"""What a page says of all gene models: counted while they are written, in memory that does not grow with their number.

Lengths are counted by value, those of four digits and more rounded to three: a median is exact below 1,000 bases, and
right to half a percent above. Sequences are counted one after the other, and the longest of them are kept.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.gene_models.model import Gene, Spans

KINDS = ("genes", "coding sequences", "exons", "introns")
"""Of what lengths are counted: exons with their untranslated parts."""
MAX_SEQUENCES = 24
"""Sequences that have a row of their own: the longest."""
SCORE_BINS = 20
"""Of scores from 0 to 1."""
PARTS = 160
"""Equal parts of the longest sequence in which genes are counted; those of the others have as many bases."""


@dataclass
class Lengths:
    """Lengths of one kind of thing, in bases.

    Attributes:
        counts: rounded length to its number.
        number: of things.
        bases: of all together.
        longest: exact.
    """

    counts: Counter[int] = field(default_factory=Counter)
    number: int = 0
    bases: int = 0
    longest: int = 0

    def add(self, length: int) -> None:
        """Count a length."""
        self.counts[rounded(length)] += 1
        self.number += 1
        self.bases += length
        self.longest = max(self.longest, length)

    def quantile(self, share: float) -> int:
        """The shortest length that is not exceeded by a share of all; of rounded lengths, at least one."""
        before, wanted = 0, max(math.ceil(share * self.number), 1)
        for length, count in sorted(self.counts.items()):
            before += count
            if before >= wanted:
                # Rounded up it may be longer than all.
                return min(length, self.longest)
        raise ValueError("no lengths")


@dataclass
class Row:
    """What is counted of the genes of a sequence, or of several.

    Attributes:
        name: of the sequence.
        bases: of it.
        sequences: that it stands for.
        forward, reverse: genes by strand.
        one_exon: of them, those without an intron.
        partial: of them, those that an end of the sequence cuts.
        exons: of all genes.
        coding: coding bases of all genes.
    """

    name: str
    bases: int
    sequences: int = 1
    forward: int = 0
    reverse: int = 0
    one_exon: int = 0
    partial: int = 0
    exons: int = 0
    coding: int = 0

    @property
    def genes(self) -> int:
        """On both strands."""
        return self.forward + self.reverse

    def add(self, other: Row) -> None:
        """Count what another row counts, but for its name."""
        for one in ("bases", "sequences", "forward", "reverse", "one_exon", "partial", "exons", "coding"):
            setattr(self, one, getattr(self, one) + getattr(other, one))


class Summary:
    """What is counted of all genes.

    Args:
        lengths: bases of every sequence, in the order of the genes.

    Attributes:
        lengths: of each of `KINDS`.
        exons: number of exons to the number of genes that have so many.
        scores: genes without and with introns by score, in `SCORE_BINS` equal parts from 0 to 1.
        hundredths: genes of each whole percent of score.
        part_bases: bases of a part of a sequence.
        along: for each of the longest sequences the genes of both strands whose middle lies in each part.
    """

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self.lengths = {kind: Lengths() for kind in KINDS}
        self.exons: Counter[int] = Counter()
        self.scores = {"one exon": [0] * SCORE_BINS, "with introns": [0] * SCORE_BINS}
        self.hundredths = [0] * 101
        longest = heapq.nsmallest(MAX_SEQUENCES, ((-bases, number) for number, bases in enumerate(lengths.values())))
        shown = {number for _, number in longest}
        names = list(lengths)
        self._rows = {names[number]: Row(names[number], lengths[names[number]]) for number in sorted(shown)}
        others = len(lengths) - len(shown)
        self._others = Row("", sum(lengths.values()) - sum(row.bases for row in self._rows.values()), others)
        self.part_bases = max(-(-max(lengths.values(), default=0) // PARTS), 1)
        self.along: dict[str, tuple[list[int], list[int]]] = {}
        for name, row in self._rows.items():
            parts = max(-(-row.bases // self.part_bases), 1)
            self.along[name] = ([0] * parts, [0] * parts)
        self._with_genes, self._last, self._sequences = 0, "", len(lengths)

    def add(self, gene: Gene) -> None:
        """Count a gene of one transcript.

        Args:
            gene: genes of a sequence come one after the other.
        """
        transcript = gene.transcripts[0]
        self._count_lengths(gene.end - gene.start, transcript.cds, transcript.exons, transcript.introns)
        if gene.chromosome != self._last:
            self._last = gene.chromosome
            self._with_genes += 1
        row = self._rows.get(gene.chromosome, self._others)
        if along := self.along.get(gene.chromosome):
            along["+-".index(gene.strand)][(gene.start + gene.end) // 2 // self.part_bases] += 1
        row.forward += gene.strand == "+"
        row.reverse += gene.strand == "-"
        row.one_exon += not transcript.introns
        row.partial += transcript.is_partial_start or transcript.is_partial_stop
        row.exons += len(transcript.exons)
        row.coding += sum(end - start for start, end in transcript.cds)
        self.exons[len(transcript.exons)] += 1
        self._count_score(gene.score, is_spliced=bool(transcript.introns))

    def _count_lengths(self, bases: int, cds: Spans, exons: Spans, introns: Spans) -> None:
        self.lengths["genes"].add(bases)
        self.lengths["coding sequences"].add(sum(end - start for start, end in cds))
        for kind, spans in (("exons", exons), ("introns", introns)):
            for start, end in spans:
                self.lengths[kind].add(end - start)

    def _count_score(self, score: float | None, *, is_spliced: bool) -> None:
        if score is None or not 0 <= score <= 1:
            return
        self.scores["with introns" if is_spliced else "one exon"][min(int(score * SCORE_BINS), SCORE_BINS - 1)] += 1
        self.hundredths[int(score * 100)] += 1

    @property
    def total(self) -> Row:
        """Of the whole genome."""
        total = Row("all", 0, 0)
        for row in (*self._rows.values(), self._others):
            total.add(row)
        return total

    @property
    def rows(self) -> list[Row]:
        """A row for each of the longest sequences in the order of the genome, and one for all others if there are."""
        rows = list(self._rows.values())
        if self._others.sequences:
            name = f"{self._others.sequences:,} others"
            rows.append(Row(**(vars(self._others) | {"name": name})))
        return rows

    @property
    def without_genes(self) -> int:
        """Number of sequences without a gene."""
        return self._sequences - self._with_genes

    def with_score_of(self, hundredths: int) -> int:
        """Number of genes with a score of at least so many hundredths."""
        return sum(self.hundredths[hundredths:])


def rounded(length: int) -> int:
    """A length of four digits and more rounded to three, halves up."""
    if length < 1000:
        return length
    unit = 10 ** (len(str(length)) - 3)
    return (length + unit // 2) // unit * unit
