"""GFF3 files: their rows, genes and gene-like features.

Format: GFF3 1.26 of the Sequence Ontology. About a million lines per second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from pipelines.errors import InputError
from pipelines.genome.features import Annotation, Feature
from pipelines.inputs.numbered_lines import coordinate, lines_of

BIOTYPES = ("biotype", "gene_biotype", "gene_type")


def read(path: Path, is_gene: Callable[[str], bool], is_gene_like: Callable[[str], bool]) -> Annotation:
    """Read genes and gene-like features.

    A feature on several lines becomes several intervals with the same gene_id.

    Args:
        path: GFF3, plain or gzip.
        is_gene: whether a type of column 3 is taken as a gene.
        is_gene_like: whether negatives may not overlap a type of column 3.

    Raises:
        InputError: missing or damaged file, a row that is not GFF3 (with its line number).
    """
    annotation = Annotation()
    for number, columns in rows(path):
        feature_type = columns[2]
        annotation.types[feature_type] += 1
        if not is_gene_like(feature_type):
            continue
        start, end = location(columns, path, number)
        chromosome, strand = unquote(columns[0]), columns[6]
        annotation.exclude(chromosome, start, end, strand)
        if is_gene(feature_type):
            gene_id, biotype = _identity(columns[8])
            gene_id = gene_id or f"{chromosome}:{start}-{end}"
            annotation.genes.append(Feature(chromosome, start, end, strand, gene_id, biotype))
    return annotation


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and columns of every row, up to the sequences that a GFF3 file may have at its end.

    Raises:
        InputError: a row that does not have 9 columns.
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
    """Start and end of a row: columns 4 and 5, 1-based and closed, as 0-based half-open.

    Raises:
        InputError: not numbers, or not 1 <= start <= end.
    """
    first, last = coordinate(columns[3], path, number), coordinate(columns[4], path, number)
    if first > last or first < 1:
        raise InputError(
            f"{path}: line {number}: start {first} and end {last} are not 1 <= start <= end", "fix the line"
        )
    return first - 1, last


def _identity(attributes: str) -> tuple[str | None, str | None]:
    """The gene_id and biotype in column 9."""
    pairs = dict(part.strip().split("=", 1) for part in attributes.split(";") if "=" in part)
    gene_id = pairs.get("ID") or pairs.get("Name")
    biotype = next((pairs[key] for key in BIOTYPES if pairs.get(key)), None)
    return (unquote(gene_id) if gene_id else None), (unquote(biotype) if biotype else None)
