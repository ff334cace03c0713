"""GFF3 files: rows of nine columns, genes and gene-like features.

Format: GFF3 1.26 of the Sequence Ontology. About a million lines a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from pipelines.errors import InputError
from pipelines.genome.features import Annotation, Feature
from pipelines.genome.numbered_lines import coordinate, lines_of

BIOTYPES = ("biotype", "gene_biotype", "gene_type")


def read(path: Path, wanted: Callable[[str], bool], gene_like: Callable[[str], bool]) -> Annotation:
    """Read genes and gene-like features; lines of one feature stay intervals of their own, with the same gene_id.

    Args:
        path: GFF3, plain or gzip.
        wanted: whether a type of column 3 is a gene.
        gene_like: whether a type of column 3 is one that negatives may not touch.

    Raises:
        InputError: missing or damaged file, a row that is not GFF3 (with its line number).
    """
    annotation = Annotation()
    for number, columns in rows(path):
        kind = columns[2]
        annotation.types[kind] += 1
        if not gene_like(kind):
            continue
        start, end = location(columns, path, number)
        chromosome, strand = unquote(columns[0]), columns[6]
        annotation.exclude(chromosome, start, end, strand)
        if wanted(kind):
            gene_id, biotype = _identity(columns[8])
            gene_id = gene_id or f"{chromosome}:{start}-{end}"
            annotation.genes.append(Feature(chromosome, start, end, strand, gene_id, biotype))
    return annotation


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows of nine columns, up to the sequences that GFF3 may carry at its end.

    Raises:
        InputError: another number of columns.
    """
    for number, line in lines_of(path):
        if line.startswith(("##FASTA", ">")):
            break
        if line.startswith("#") or not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) != 9:
            if line.startswith(("track ", "browser ")):
                continue
            raise InputError(
                f"{path}: line {number}: {len(columns)} columns instead of 9", "give tab-separated GFF3 or GTF"
            )
        yield number, columns


def location(columns: list[str], path: Path, number: int) -> tuple[int, int]:
    """Columns 4 and 5, 1-based and closed, as 0-based half-open.

    Raises:
        InputError: no numbers, or not 1 <= start <= end.
    """
    first, last = coordinate(columns[3], path, number), coordinate(columns[4], path, number)
    if first > last or first < 1:
        raise InputError(
            f"{path}: line {number}: start {first} and end {last} are not 1 <= start <= end", "mend the line"
        )
    return first - 1, last


def _identity(attributes: str) -> tuple[str | None, str | None]:
    pairs = dict(part.strip().split("=", 1) for part in attributes.split(";") if "=" in part)
    gene_id = pairs.get("ID") or pairs.get("Name")
    biotype = next((pairs[key] for key in BIOTYPES if pairs.get(key)), None)
    return (unquote(gene_id) if gene_id else None), (unquote(biotype) if biotype else None)
