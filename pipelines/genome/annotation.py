"""Annotated features of a genome: GFF3, GTF or BED to genes and intervals that negatives avoid.

The format is detected from the first row, because file names are unreliable (.txt, or .gff for GTF).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import translate
from functools import cache
from pathlib import Path
from typing import Literal

from pipelines.errors import InputError
from pipelines.genome import bed_reader
from pipelines.genome.features import SIGNS, Annotation, Feature
from pipelines.genome.gff import reader, spans
from pipelines.genome.gff.attributes import dialect_of
from pipelines.genome.gff.rows import feature_lines, unquoted
from pipelines.genome.gff.spans import MISSING, GeneSpans, Span
from pipelines.inputs import compression

__all__ = ["Annotation", "Feature", "Format", "format_of", "read"]

Format = Literal["GFF3", "GTF", "BED"]
_ENDINGS: dict[str, Format] = {".gff": "GFF3", ".gff3": "GFF3", ".gtf": "GTF", ".bed": "BED"}


def read(
    path: Path,
    feature_types: Sequence[str],
    exclude_types: Sequence[str],
    biotypes: Sequence[str] | None = None,
    *,
    may_be_empty: bool = False,
    span: Literal["gene", "mrna", "cds"] = "gene",
) -> Annotation:
    """Read genes and gene-like features. In BED, every row is a gene.

    Args:
        path: GFF3, GTF or BED, plain or compressed.
        feature_types: column 3 values taken as genes, matched without case.
        exclude_types: column 3 patterns (`*` for any letters) that negatives may not overlap.
        biotypes: biotypes of genes to take, matched without case; None takes all. Genes of other biotypes are counted
            as dropped, and negatives still avoid them.
        may_be_empty: return an annotation without genes instead of raising.
        span: what of a gene is the gene: its row, its mRNAs, or their coding sequence. Genes without such rows are
            counted as dropped, and negatives still avoid them.

    Raises:
        InputError: missing or damaged file, a row that is not of its format (with its line number), no feature of the
            requested types or biotypes, or a span of a BED file or that no gene has.
    """
    file_format = format_of(path)
    found: spans.GeneSpans | None = None
    if file_format == "BED":
        if span != "gene":
            raise InputError(f"{path}: BED has no rows of {span}", "give GFF3 or GTF", key="sources.span")
        annotation = _read_bed(path, may_be_empty)
    else:
        is_gene, is_gene_like = type_pattern(feature_types), type_pattern([*exclude_types, *feature_types])
        annotation = reader.read(path, is_gene, is_gene_like, file_format)
        if not annotation.genes and annotation.unnamed and not may_be_empty:
            raise InputError(
                f"{path}: line {annotation.unnamed}: an exon or CDS that names neither a gene nor a transcript",
                "give gene rows, or name the gene in column 9 (gene_id of GTF, Parent of GFF3)",
            )
        if not annotation.types and not may_be_empty:
            raise InputError(f"{path}: has no rows", "give a file of GFF3, GTF or BED rows, separated by tabs")
        if not annotation.genes and not may_be_empty:
            raise InputError(
                f"{path}: no feature of type {', '.join(feature_types)}",
                f"set feature_types; the file has {_most_common(annotation.types)}",
                key="sources.feature_types",
            )
        if span != "gene":
            found = spans.read(path, annotation, is_gene, is_gene_like, span)
    if biotypes is not None:
        annotation = _of_biotypes(annotation, biotypes, path)
    return annotation if found is None or span == "gene" else _of_span(annotation, found, span, path)


def format_of(path: Path) -> Format:
    """The format of an annotation file, from its first row, or from its name if the row does not settle it.

    Raises:
        InputError: missing or damaged, or neither the first row nor the name is of a known format.
    """
    name = compression.plain_name(path.name.lower())
    format_by_name = next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)
    for number, line in feature_lines(path):
        columns = line.split("\t")
        if not line or bed_reader.is_header(columns):
            continue
        file_format = _format_of_row(columns) or format_by_name or ("GFF3" if len(columns) == 9 else None)
        if file_format is None:
            raise InputError(
                f"{path}: line {number}: neither GFF3, GTF nor BED ({len(columns)} tab-separated columns)",
                "give one of these formats",
            )
        return file_format
    return format_by_name or "GFF3"


def _format_of_row(columns: list[str]) -> Format | None:
    if len(columns) >= 3 and columns[1].isdigit() and columns[2].isdigit():
        return "BED"
    dialect = dialect_of(unquoted(columns[8])) if len(columns) == 9 else ""
    return dialect if dialect in ("GFF3", "GTF") else None


def type_pattern(names: Sequence[str]) -> Callable[[str], bool]:
    """Whether a type matches any of these names or patterns, without case."""
    expression = re.compile("|".join(translate(name.lower()) for name in names))
    return cache(lambda kind: expression.match(kind.lower()) is not None)


def _read_bed(path: Path, may_be_empty: bool) -> Annotation:
    annotation = Annotation()
    for number, columns in bed_reader.rows(path):
        gene = bed_reader.feature(columns, path, number)
        annotation.genes.append(gene)
        if gene.start < gene.end:
            annotation.exclude(gene.chromosome, gene.start, gene.end, gene.strand)
    if not annotation.genes and not may_be_empty:
        raise InputError(f"{path}: holds no interval", "give a file with at least one gene")
    return annotation


def _of_biotypes(annotation: Annotation, biotypes: Sequence[str], path: Path) -> Annotation:
    requested = {biotype.lower() for biotype in biotypes}
    genes = [gene for gene in annotation.genes if gene.biotype is not None and gene.biotype.lower() in requested]
    if not genes:
        present = _most_common(Counter(gene.biotype for gene in annotation.genes if gene.biotype is not None))
        fix = f"set biotypes; the file has {present}" if present else "remove biotypes; the file has none"
        raise InputError(f"{path}: no gene of biotype {', '.join(biotypes)}", fix, key="sources.biotypes")
    annotation.dropped["other_biotype"] += len(annotation.genes) - len(genes)
    # Unary plus removes reasons that were counted 0 times.
    annotation.dropped = +annotation.dropped
    annotation.genes = genes
    return annotation


def _of_span(annotation: Annotation, found: GeneSpans, span: Span, path: Path) -> Annotation:
    genes = []
    for gene in annotation.genes:
        if gene in found.of_gene:
            start, end = found.of_gene[gene]
            genes.append(replace(gene, start=start, end=end, row=(gene.start, gene.end)))
    if not genes:
        raise InputError(
            f"{path}: no gene has rows of {'mRNA' if span == 'mrna' else 'CDS'}",
            f"set span: gene; the file has {_most_common(annotation.types)}",
            key="sources.span",
        )
    annotation.dropped[MISSING[span]] += len(annotation.genes) - len(genes)
    annotation.dropped = +annotation.dropped
    # Genes of other biotypes are no longer among the genes, and partial negatives avoid them too.
    used = set(annotation.genes)
    for gene in found.of_gene:
        if gene not in used:
            found.others[gene.chromosome].append((gene.start, gene.end, SIGNS.get(gene.strand, 0)))
    annotation.genes, annotation.others = genes, found.others
    return annotation


def _most_common(counts: Counter[str]) -> str:
    return ", ".join(name for name, _ in counts.most_common(6))
