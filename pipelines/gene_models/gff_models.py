"""Genes of a file of nine columns with what is in them.

The genes are those of `pipelines.genome.annotation`. A second pass gathers the parts of transcripts, and each
transcript goes to the gene that its names lead to: by the chain of its parents, by the gene that it names and overlaps,
or, of genes without a row, by the transcripts that they were derived from.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from pipelines.gene_models.model import Gene, Transcript
from pipelines.gene_models.remarks import NONE, Remarks, remarks_of
from pipelines.gene_models.transcript_rows import (
    NO_PARTS,
    Part,
    TranscriptRow,
    TranscriptRows,
    may_be_transcript,
    part_of,
)
from pipelines.genome import annotation
from pipelines.genome.annotation import Annotation
from pipelines.genome.gff.attributes import Names, dialect_of, gene_names, part_names, quick_value
from pipelines.genome.gff.rows import Rows, location

# Parents of parents that are followed; a file in which rows are parents of one another ends there.
MAX_DEPTH = 8
# Words of attributes that say that an end is missing.
_MARKS = ("partial=", "_range=", "_NF")


@dataclass
class Models:
    """The genes of a file.

    Attributes:
        genes: in the order of `pipelines.genome.annotation`.
        kinds: number of a gene to the types of its transcripts in lower case; empty for one without a row.
        types: number of rows of each type.
        unused: number of rows that fed no gene, by reason.
        derived: number of genes that have no row.
    """

    genes: list[Gene]
    kinds: dict[int, list[str]]
    types: Counter[str]
    unused: Counter[str]
    derived: int


def read_models(path: Path, gene_types: tuple[str, ...]) -> Models:
    """Read the genes of a file of nine columns, with transcripts, exons and CDS.

    Args:
        path: GFF3, GTF or GFF2, plain or compressed.
        gene_types: types of column 3 that are genes, `*` for any letters.

    Raises:
        InputError: missing or damaged, or a row that is not of nine columns (with its line number).
    """
    found = annotation.read(path, gene_types, [], may_be_empty=True)
    rows = _FileRows(path)
    rows.read(annotation.type_pattern(gene_types))
    return _Assembly(found, rows).models()


class _GeneRow(NamedTuple):
    """What the row of a gene says besides its place."""

    names: list[str]
    score: float | None
    kind: str
    remarks: Remarks


_NO_ROW = _GeneRow([], None, "", NONE)


@dataclass
class _FileRows:
    """The rows of a file, sorted by what they are.

    Attributes:
        gene_rows: every gene row, in file order.
        transcripts: sequence and name to the rows of transcripts.
        groups: sequence, strand and name to the parts of a transcript.
        shared: the groups of rows that name several parents.
        others: sequence and ID of rows of other types that may be parents.
        unused: number of rows that are neither gene, transcript nor part, or name nothing, by reason.
    """

    path: Path
    gene_rows: list[_GeneRow] = field(default_factory=list)
    transcripts: dict[tuple[str, str], list[TranscriptRow]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[tuple[str, str, str], TranscriptRows] = field(default_factory=dict)
    shared: list[list[TranscriptRows]] = field(default_factory=list)
    others: set[tuple[str, str]] = field(default_factory=set)
    unused: Counter[str] = field(default_factory=Counter)

    def read(self, is_gene: Callable[[str], bool]) -> None:
        parts: dict[str, Part | None] = {}
        for number, columns in Rows(self.path):
            kind = columns[2]
            if kind not in parts:
                parts[kind] = None if is_gene(kind) else part_of(kind)
            if part := parts[kind]:
                self._part(part, columns, number)
            elif is_gene(kind):
                names = gene_names(columns[8], dialect_of(columns[8]))
                own = [*names.names, *([names.gene_id] if names.gene_id else [])]
                self.gene_rows.append(_GeneRow(own, _score(columns[5]), kind.lower(), remarks_of(columns[8])))
            else:
                self._other(kind, columns, number)

    def _part(self, part: Part, columns: list[str], number: int) -> None:
        text = columns[8]
        found = self._groups_of(columns, text, is_exon=part == "exon")
        if not found:
            self.unused["without_a_name"] += 1
            return
        start, end = location(columns, self.path, number)
        remarks = remarks_of(text) if part == "CDS" else NONE
        for group in found:
            group.add(part, start, end, columns[7])
            if part == "CDS" and any(mark in text for mark in _MARKS):
                group.marks += text
            if remarks:
                group.remarks |= remarks
        if len(found) == 1:
            found[0].rows += 1
        else:
            self.shared.append(found)

    def _groups_of(self, columns: list[str], text: str, *, is_exon: bool) -> list[TranscriptRows]:
        """The transcripts of a part; empty if it names none and no gene."""
        name = quick_value(text, "Parent=", ";")
        if name is None:
            name = quick_value(text, 'transcript_id "', '"')
        elif "," in name or "%" in name or '"' in name or name != name.strip():
            name = None
        # Most rows belong to a transcript that is known, by its first attribute.
        known = self.groups.get((columns[0], columns[6], name)) if name else None
        if known:
            return [known]
        names = part_names(text, is_transcript=False, is_exon=is_exon)
        own = names.parents or [only for only in (names.transcript or names.gene,) if only]
        return [self._group(columns[0], columns[6], name, names) for name in dict.fromkeys(own)]

    def _group(self, chromosome: str, strand: str, name: str, names: Names) -> TranscriptRows:
        key = (chromosome, strand, name)
        found = self.groups.get(key)
        if found is None:
            found = self.groups[key] = TranscriptRows(chromosome, strand, name, names)
        return found

    def _other(self, kind: str, columns: list[str], number: int) -> None:
        text = columns[8]
        if not may_be_transcript(kind, text):
            self.unused["other_type"] += 1
            if own := quick_value(text, "ID=", ";"):
                self.others.add((columns[0], unquote(own)))
            return
        names = part_names(text, is_transcript=True)
        marks = text if any(mark in text for mark in _MARKS) else ""
        row = TranscriptRow(
            kind.lower(),
            *location(columns, self.path, number),
            columns[6],
            names,
            _score(columns[5]),
            marks,
            remarks_of(text),
        )
        self.transcripts[columns[0], names.transcript or ""].append(row)


class _Assembly:
    """Puts transcripts into genes."""

    def __init__(self, found: Annotation, rows: _FileRows) -> None:
        self._found, self._rows = found, rows
        self._own: list[list[tuple[Transcript, str]]] = [[] for _ in found.genes]
        self._unused = Counter(rows.unused)
        # Sequence and name to the genes with a row; the same with the strand to those without.
        self._with_row: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._derived: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
        for number, row in enumerate(rows.gene_rows):
            for name in dict.fromkeys(row.names):
                self._with_row[found.genes[number].chromosome, name].append(number)
        for number, members in enumerate(found.derived_from, len(rows.gene_rows)):
            gene = found.genes[number]
            of_members = {pair for names in members for pair in zip(("transcript", "gene"), names, strict=True)}
            for level, own in of_members:
                if own:
                    self._derived[gene.chromosome, gene.strand, level, own].append(number)

    def models(self) -> Models:
        fed: set[int] = set()
        reasons: dict[int, str] = {}
        for group in self._rows.groups.values():
            reason = self._place(group)
            if reason is None:
                fed.add(id(group))
            else:
                reasons[id(group)] = reason
                self._unused[reason] += group.rows
        for groups in self._rows.shared:
            if not any(id(group) in fed for group in groups):
                self._unused[reasons[id(groups[0])]] += 1
        self._count_unused_transcripts()
        self._own = [_joined(own) for own in self._own]
        genes = [self._gene(number) for number in range(len(self._found.genes))]
        kinds = {number: [kind for _, kind in own] for number, own in enumerate(self._own) if own}
        return Models(genes, kinds, self._found.types, +self._unused, self._found.derived)

    def _place(self, group: TranscriptRows) -> str | None:
        """Put the parts of one name into the genes that they belong to; why they belong to none, or None."""
        rows = self._rows.transcripts.get((group.chromosome, group.name), [])
        rows = [row for row in rows if row.strand == group.strand] or rows
        reason: str | None = "in_no_gene"
        for piece in _pieces(group, rows):
            start, end = piece.span
            genes = self._genes_of(piece, start, end)
            pieces = [(genes[0], piece)] if len(genes) == 1 else list(self._by_gene(piece, genes))
            for gene, own in pieces:
                if transcript := own.transcript():
                    if own.row:
                        own.row.reason = None
                    self._own[gene].append((transcript, own.row.kind if own.row else ""))
                    self._unused["repeated"] += own.repeated
                    reason = None
            if not pieces:
                why = self._reason(piece)
                reason = why if reason else None
                if piece.row:
                    piece.row.reason = why
        return reason

    def _by_gene(self, piece: TranscriptRows, genes: list[int]) -> Iterator[tuple[int, TranscriptRows]]:
        """The parts of one transcript that several genes have, as those of each; a copy has its own place."""
        for number in genes:
            gene = self._found.genes[number]
            own = piece.within(gene.start, gene.end)
            if own.rows:
                yield number, own

    def _genes_of(self, piece: TranscriptRows, start: int, end: int) -> list[int]:
        """The genes of a transcript: one, or all places of its name."""
        names = [piece.row.names, piece.names] if piece.row else [piece.names]
        for own in names:
            if found := self._by_parents(piece.chromosome, own.parents, MAX_DEPTH):
                return self._nearest(found, start, end)
        for own in names:
            for gene in (own.gene, *own.other_genes):
                found = self._with_row.get((piece.chromosome, gene), []) if gene else []
                found = [number for number in found if self._overlaps(number, start, end)]
                if found:
                    return self._nearest(found, start, end)
        for own in names:
            for level, name in (("transcript", piece.name), ("transcript", own.transcript), ("gene", own.gene)):
                found = self._derived.get((piece.chromosome, piece.strand, level, name), []) if name else []
                found = [number for number in found if self._overlaps(number, start, end)]
                if found:
                    return found
        return []

    def _by_parents(self, chromosome: str, parents: list[str], depth: int) -> list[int]:
        for parent in parents:
            if found := self._with_row.get((chromosome, parent)):
                return found
            for row in self._rows.transcripts.get((chromosome, parent), []):
                if depth and (found := self._by_parents(chromosome, row.names.parents, depth - 1)):
                    return found
        return []

    def _nearest(self, genes: list[int], start: int, end: int) -> list[int]:
        """Of several rows of one name, the places that a transcript overlaps."""
        return [number for number in genes if self._overlaps(number, start, end)] or genes[:1]

    def _overlaps(self, number: int, start: int, end: int) -> bool:
        gene = self._found.genes[number]
        return start < gene.end and end > gene.start

    def _reason(self, piece: TranscriptRows) -> str:
        """Why a transcript is in no gene."""
        names = piece.row.names if piece.row else piece.names
        parents = names.parents
        for _ in range(MAX_DEPTH):
            row = next(
                (row for name in parents for row in self._rows.transcripts.get((piece.chromosome, name), [])), None
            )
            if row is None:
                break
            parents = row.names.parents
        is_other = any((piece.chromosome, name) in self._rows.others for name in parents)
        if is_other:
            return "gene_of_other_type"
        return "parent_is_no_gene" if parents else "in_no_gene"

    def _count_unused_transcripts(self) -> None:
        """Count the rows of transcripts that feed no gene; some have no parts, but a gene was derived from them."""
        for (chromosome, name), rows in self._rows.transcripts.items():
            for row in rows:
                names = (("transcript", name), ("gene", row.names.gene))
                is_gene = any((chromosome, row.strand, level, own) in self._derived for level, own in names if own)
                if row.reason and not (row.reason == NO_PARTS and is_gene):
                    self._unused[row.reason] += 1

    def _gene(self, number: int) -> Gene:
        found = self._found.genes[number]
        transcripts = tuple(transcript for transcript, _ in self._own[number])
        row = self._rows.gene_rows[number] if number < len(self._rows.gene_rows) else _NO_ROW
        return Gene(
            found.gene_id,
            found.chromosome,
            found.start,
            found.end,
            found.strand,
            transcripts,
            biotype=found.biotype or next((one.biotype for one in transcripts if one.biotype), None),
            score=row.score if row.score is not None else next((one.score for one in transcripts if one.score), None),
            kind=row.kind,
            remarks=row.remarks,
        )


def _pieces(group: TranscriptRows, rows: list[TranscriptRow]) -> Iterator[TranscriptRows]:
    """The parts of one name as those of each row of that name; those outside of all go to the first."""
    if len(rows) < 2:
        if rows:
            group.row = rows[0]
        yield group
        return
    for row in rows:
        own = group.within(row.start, row.end)
        if own.rows:
            own.row = row
            yield own


def _joined(own: list[tuple[Transcript, str]]) -> list[tuple[Transcript, str]]:
    """The transcripts of a gene; exons and CDS of different names are one transcript if the gene has no others.

    The GFF2 of JGI names exons by transcript and CDS by protein.
    """
    if len(own) != 2 or any(kind for _, kind in own):
        return own
    exons, coding = sorted((transcript for transcript, _ in own), key=lambda one: bool(one.cds))
    is_within = all(any(low <= start and end <= high for low, high in exons.exons) for start, end in coding.cds)
    if exons.cds or not coding.cds or coding.exons != coding.cds or not is_within:
        return own
    return [(replace(coding, transcript_id=exons.transcript_id, exons=exons.exons), "")]


def _score(text: str) -> float | None:
    """A score from 0 to 1; None for other scales."""
    try:
        score = float(text)
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None
