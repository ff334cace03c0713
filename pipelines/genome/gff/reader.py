"""Genes and gene-like features of a file of nine columns.

A gene is its gene row. A gene without one is the span of its transcripts, and without transcripts that of its exons and
CDS; this is decided gene by gene. About a million rows per second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipelines.genome.features import Annotation, Feature
from pipelines.genome.gff.attributes import dialect_of, gene_names, part_names, quick_value
from pipelines.genome.gff.derived import SequenceRows, derive
from pipelines.genome.gff.rows import Rows, location

TRANSCRIPTS = frozenset({"transcript", "mrna"})
PARTS = frozenset({"exon", "cds"})
Level = Literal["gene", "transcript", "part", "other"]
CIRCULAR = "Is_circular"


@dataclass(slots=True)
class _Kind:
    """What a type of column 3 is: its level, whether negatives avoid it, what else it may be, and its rows so far."""

    level: Level
    is_excluded: bool
    is_exon: bool
    is_other_gene: bool
    may_have_parts: bool
    rows: int = 0


@dataclass
class _Reader:
    """Sorts rows into genes, and transcripts and parts whose gene has no row so far."""

    annotation: Annotation
    file_dialect: str
    path: Path
    sequences: dict[str, SequenceRows] = field(default_factory=dict)
    # Sequence and attribute (`Parent=x`) of the last part of a gene that has a row: those of a gene follow one another.
    last_sequence: str = ""
    last_parent: str = "\n"

    def sequence(self, name: str) -> SequenceRows:
        found = self.sequences.get(name)
        if found is None:
            found = self.sequences[name] = SequenceRows()
        return found

    def gene(self, columns: list[str], start: int, end: int, *, with_names: bool) -> None:
        chromosome, strand = columns[0], columns[6]
        dialect = dialect_of(columns[8])
        row = gene_names(columns[8], dialect)
        if row.gene_id and not (row.is_standard and dialect == self.file_dialect):
            self.annotation.rules.add("attributes of each row")
        gene_id = row.gene_id or f"{self.annotation.decoded(chromosome)}:{start}-{end}"
        self.annotation.genes.append(Feature(chromosome, start, end, strand, gene_id, row.biotype))
        if with_names:
            sequence = self.sequence(chromosome)
            sequence.gene_rows.append((start, end, strand))
            for name in (gene_id, *row.names):
                span = sequence.genes.setdefault(name, [start, end])
                span[0], span[1] = min(span[0], start), max(span[1], end)

    def other_gene(self, columns: list[str], number: int) -> None:
        row = gene_names(columns[8], dialect_of(columns[8]))
        sequence = self.sequence(columns[0])
        sequence.others.update(row.names, [row.gene_id] if row.gene_id else [])
        sequence.gene_rows.append((*location(columns, self.path, number), columns[6]))

    def transcript(self, columns: list[str], number: int, place: tuple[int, int] | None) -> None:
        sequence, text = self.sequence(columns[0]), columns[8]
        if (own := quick_value(text, "ID=", ";")) and quick_value(text, "Parent=", ";") in sequence.genes:
            sequence.known.add(own)
            return
        gene = quick_value(text, 'gene_id "', '"')
        span = sequence.genes.get(gene) if gene else None
        if span and _overlaps(columns, place, span):
            sequence.known.add(quick_value(text, 'transcript_id "', '"') or "")
            return
        names = part_names(text, is_transcript=True)
        if names.parents and names.parents[0] in sequence.genes:
            sequence.known.add(names.transcript or "")
            return
        if names.parents and names.parents[0] in sequence.others:
            self.annotation.unused["gene_of_other_type"] += 1
            sequence.others.add(names.transcript or "")
            return
        start, end = place or location(columns, self.path, number)
        for gene in (names.gene, *names.other_genes):
            span = sequence.genes.get(gene) if gene else None
            if span and (start < span[1] and end > span[0]):
                sequence.known.add(names.transcript or "")
                return
        sequence.add_transcript(names, start, end, columns[6], number)

    def part(self, columns: list[str], number: int, place: tuple[int, int] | None, *, is_exon: bool) -> None:
        text = columns[8]
        if columns[0] == self.last_sequence and _has(text, self.last_parent):
            return
        parent = quick_value(text, "Parent=", ";")
        sequence = self.sequence(columns[0])
        if parent is not None:
            if parent in sequence.known or parent in sequence.genes:
                self.last_sequence, self.last_parent = columns[0], f"Parent={parent}"
                return
            if sequence.takes(parent):
                return
            if parent in sequence.others:
                self.annotation.unused["gene_of_other_type"] += 1
                return
        elif not sequence.transcripts:
            gene = quick_value(text, 'gene_id "', '"')
            span = sequence.genes.get(gene) if gene else None
            if span and _overlaps(columns, place, span):
                return
        names = part_names(text, is_transcript=False, is_exon=is_exon)
        if len(names.parents) > 1 and names.parents[0] not in sequence.known:
            sequence.shared.add(tuple(names.parents))
        if any(sequence.takes(name) for name in names.parents):
            return
        start, end = place or location(columns, self.path, number)
        span = sequence.genes.get(names.gene) if names.gene else None
        if span and start < span[1] and end > span[0]:
            sequence.name_gene(names)
            return
        if not names.parents and names.transcript and sequence.name_gene(names):
            return
        if names.gene is None and names.transcript is None:
            self.annotation.unused["without_gene_name"] += 1
            self.annotation.unnamed = self.annotation.unnamed or number
            return
        sequence.add_part(names, start, end, columns[6], number, columns[2])


def read(path: Path, is_gene: Callable[[str], bool], is_gene_like: Callable[[str], bool], dialect: str) -> Annotation:
    """Read genes and gene-like features.

    A gene on several rows becomes several intervals with the same gene_id.

    Args:
        path: nine columns, plain or gzip.
        is_gene: whether a type of column 3 is taken as a gene. Genes without a row are derived if `gene` is.
        is_gene_like: whether negatives may not overlap a type of column 3.
        dialect: that of the first row, GFF3 or GTF.

    Raises:
        InputError: missing or damaged file, a row that is not of nine columns (with its line number).
    """
    annotation = Annotation(has_encoded_names=dialect == "GFF3")
    reader = _Reader(annotation, dialect, path)
    can_derive = is_gene("gene")
    kinds: dict[str, _Kind] = {}
    rows = Rows(path)
    for number, columns in rows:
        kind = kinds.get(columns[2])
        if kind is None:
            kind = kinds[columns[2]] = _kind(columns[2], is_gene, is_gene_like, can_derive)
        kind.rows += 1
        place = None
        if kind.is_excluded:
            place = location(columns, path, number)
            annotation.exclude(columns[0], *place, columns[6])
        level = kind.level
        if level == "part":
            reader.part(columns, number, place, is_exon=kind.is_exon)
        elif level == "gene":
            reader.gene(columns, *(place or location(columns, path, number)), with_names=can_derive)
        elif level == "transcript":
            reader.transcript(columns, number, place)
        else:
            annotation.unused["other_type"] += 1
            if kind.is_other_gene:
                reader.other_gene(columns, number)
            elif kind.may_have_parts and (own := quick_value(columns[8], "ID=", ";")):
                reader.sequence(columns[0]).others.add(own)
            elif CIRCULAR in columns[8]:
                _note_circular(annotation, columns)
    if rows.after_sequences:
        annotation.rules.add("rows after sequences")
    if rows.has_quoted:
        annotation.rules.add("attributes of each row")
    if can_derive:
        derive(annotation, reader.sequences, path, dialect)
    annotation.types = Counter({name: kind.rows for name, kind in kinds.items()})
    annotation.unused = +annotation.unused
    return annotation


def _kind(name: str, is_gene: Callable[[str], bool], is_gene_like: Callable[[str], bool], can_derive: bool) -> _Kind:
    lower = name.lower()
    level: Level = "other"
    if is_gene(name):
        level = "gene"
    elif can_derive and lower in TRANSCRIPTS:
        level = "transcript"
    elif can_derive and lower in PARTS:
        level = "part"
    is_other = can_derive and level == "other"
    is_other_gene = is_other and lower.endswith("gene")
    may_have_parts = is_other and lower.endswith(("rna", "transcript", "segment", "element"))
    return _Kind(level, is_gene_like(name), lower == "exon", is_other_gene, may_have_parts)


def _has(text: str, attribute: str) -> bool:
    """Whether column 9 has an attribute, `key=value`."""
    at = text.find(attribute)
    if at < 0 or (at > 0 and text[at - 1] not in "; "):
        return False
    end = at + len(attribute)
    return end == len(text) or text[end] == ";"


def _overlaps(columns: list[str], place: tuple[int, int] | None, span: list[int]) -> bool:
    """Whether a row overlaps a span; None is a place that was not read so far."""
    if place:
        return place[0] < span[1] and place[1] > span[0]
    first, last = columns[3], columns[4]
    return first.isdecimal() and last.isdecimal() and int(first) <= span[1] and int(last) > span[0]


def _note_circular(annotation: Annotation, columns: list[str]) -> None:
    if columns[3] != "1":
        return
    value = quick_value(columns[8], f"{CIRCULAR}=", ";") or quick_value(columns[8], f"{CIRCULAR} ", ";") or ""
    if value.strip(' "').lower() in {"true", "yes", "1"}:
        annotation.circular.add(columns[0])
