"""The rows of transcripts in a file of nine columns: exons, CDS, UTRs and stop codons, gathered by transcript.

Rows may come in any order. Which names a row gives is decided where genes are read (`pipelines.genome.gff.attributes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from pipelines.gene_models.model import Spans, Transcript
from pipelines.gene_models.remarks import NONE, Remarks
from pipelines.gene_models.selection import is_transcript
from pipelines.genome.gff.attributes import Names

Part = Literal["exon", "CDS", "UTR", "stop_codon"]
# Rows that no transcript is, though they have an ID and a Parent.
_NO_TRANSCRIPTS = ("intron", "codon", "protein", "polypeptide", "_site", "_region", "match", "peptide")


def part_of(kind: str) -> Part | None:
    """What part of a transcript the rows of a type are; None for other rows."""
    lower = kind.lower()
    if lower == "cds":
        return "CDS"
    if lower.endswith("exon"):
        return "exon"
    if lower.endswith("utr") or lower in ("utr5", "utr3"):
        return "UTR"
    return "stop_codon" if lower == "stop_codon" else None


def may_be_transcript(kind: str, text: str) -> bool:
    """Whether a row that is no gene and no part may be a transcript, so that parts may name it."""
    lower = kind.lower()
    if is_transcript(kind):
        return True
    return "ID=" in text and "Parent=" in text and not lower.endswith(_NO_TRANSCRIPTS)


def may_code(kind: str) -> bool:
    """Whether the CDS rows of a transcript of a type are coding.

    PomBase and others write CDS rows for the exons of RNA genes and pseudogenes.
    """
    lower = kind.lower()
    return "mrna" in lower or lower in ("transcript", "primary_transcript") or lower.endswith("gene_segment")


NO_PARTS = "transcript_without_parts"


@dataclass(slots=True)
class TranscriptRow:
    """The row of a transcript; `reason` says why it feeds no gene, and is None once it does."""

    kind: str
    start: int
    end: int
    strand: str
    names: Names
    score: float | None
    marks: str
    remarks: Remarks
    reason: str | None = NO_PARTS


@dataclass(slots=True)
class TranscriptRows:
    """The parts of one transcript at one place.

    Attributes:
        name: that its parts give.
        names: all names that its first part gives.
        exons, utrs, stops: start and end of each row.
        cds: start, end and phase of each row.
        rows: number of rows that belong to this transcript alone.
        marks: what its CDS rows say of missing ends.
        remarks: that its CDS rows make.
        row: its own row, if it has one.
    """

    chromosome: str
    strand: str
    name: str
    names: Names
    exons: list[tuple[int, int]] = field(default_factory=list)
    cds: list[tuple[int, int, int]] = field(default_factory=list)
    utrs: list[tuple[int, int]] = field(default_factory=list)
    stops: list[tuple[int, int]] = field(default_factory=list)
    rows: int = 0
    marks: str = ""
    remarks: Remarks = NONE
    row: TranscriptRow | None = None

    def add(self, part: Part, start: int, end: int, phase: str) -> None:
        """Add a row."""
        if part == "exon":
            self.exons.append((start, end))
        elif part == "CDS":
            self.cds.append((start, end, int(phase) if phase in ("0", "1", "2") else 0))
        elif part == "UTR":
            self.utrs.append((start, end))
        else:
            self.stops.append((start, end))

    @property
    def span(self) -> tuple[int, int]:
        """First base, and base after the last, of all rows."""
        parts = [*self.exons, *self.utrs, *self.stops, *((start, end) for start, end, _ in self.cds)]
        return min(start for start, _ in parts), max(end for _, end in parts)

    @property
    def repeated(self) -> int:
        """Number of rows that say again what another says."""
        return len(self.exons) - len(set(self.exons)) + len(self.cds) - len({part[:2] for part in self.cds})

    def within(self, start: int, end: int) -> TranscriptRows:
        """The rows that share a base with an interval."""

        own = replace(
            self,
            exons=[part for part in self.exons if part[0] < end and part[1] > start],
            cds=[part for part in self.cds if part[0] < end and part[1] > start],
            utrs=[part for part in self.utrs if part[0] < end and part[1] > start],
            stops=[part for part in self.stops if part[0] < end and part[1] > start],
        )
        own.rows = len(own.exons) + len(own.cds) + len(own.utrs) + len(own.stops)
        return own

    def transcript(self) -> Transcript | None:
        """The transcript; None if its rows are stop codons only."""
        coding = [(start, end) for start, end, _ in self.cds]
        is_coding = bool(coding) and (self.row is None or may_code(self.row.kind))
        cds = with_stop(sorted(set(coding)), self.stops, self.strand) if is_coding else []
        exons = sorted(set(self.exons)) or (_joined([*(cds or coding), *self.utrs]) if self.utrs else cds or coding)
        if not exons:
            return None
        # Of a coding transcript the CDS rows say it: NCBI calls the mRNA of every yeast gene partial.
        marks = self.marks if cds else self.row.marks if self.row else ""
        five, three = missing_ends(marks, self.strand)
        phase = self._phase() if cds else 0
        return Transcript(
            self.name,
            tuple(sorted(set(exons))),
            tuple(cds),
            phase,
            is_partial_start=five or phase > 0,
            is_partial_stop=three,
            biotype=(self.row.names.biotype if self.row else None) or self.names.biotype,
            score=self.row.score if self.row else None,
            kind=self.row.kind if self.row else "",
            remarks=self._remarks(is_coding=bool(cds)),
        )

    def _remarks(self, *, is_coding: bool) -> Remarks:
        if self.row is None:
            return self.remarks
        # As for missing ends, the CDS rows say whether the CDS is whole.
        return self.remarks | (self.row.remarks - {"partial"} if is_coding else self.row.remarks)

    def _phase(self) -> int:
        return (max(self.cds, key=lambda part: part[1]) if self.strand == "-" else min(self.cds))[2]


def with_stop(cds: list[tuple[int, int]], stops: list[tuple[int, int]], strand: str) -> list[tuple[int, int]]:
    """The coding sequence with its stop codon, where rows write that outside of it, as GTF 2.2 asks for.

    Args:
        cds: start and end of the parts, sorted.
        stops: the same of the rows of stop codons, two if an intron parts it.
        strand: of the transcript.

    Returns:
        Sorted parts; one that a stop codon touches includes it.
    """
    joined = list(cds)
    # From the coding sequence outwards, so that a codon in two pieces joins piece by piece.
    for start, end in sorted(set(stops), reverse=strand == "-"):
        if any(low <= start and end <= high for low, high in joined):
            continue
        if strand == "-" and end <= joined[0][0]:
            joined[:1] = [(start, joined[0][1])] if end == joined[0][0] else [(start, end), joined[0]]
        elif strand != "-" and start >= joined[-1][1]:
            joined[-1:] = [(joined[-1][0], end)] if start == joined[-1][1] else [joined[-1], (start, end)]
    return joined


def _joined(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Intervals with those joined that touch or overlap: the exons of coding and untranslated parts."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(parts):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def missing_ends(text: str, strand: str) -> tuple[bool, bool]:
    """Whether attributes say that the 5' and the 3' end of a transcript are missing.

    NCBI writes `start_range` and `end_range`, Prodigal `partial=10` (left and right edge), Ensembl `cds_start_NF`.
    """
    left = "start_range=" in text or "partial=10" in text or "partial=11" in text
    right = "end_range=" in text or "partial=01" in text or "partial=11" in text
    five, three = (right, left) if strand == "-" else (left, right)
    return five or "_start_NF" in text, three or "_end_NF" in text


def spans_within(parts: Spans, end: int) -> Spans:
    """Intervals cut off at a base; those beyond it are left out."""
    return tuple((low, min(high, end)) for low, high in parts if low < end)
