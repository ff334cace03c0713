"""GTF files: the columns of GFF3 with attributes written as `key "value";`.

Format: GTF 2.2 with the gene rows of Ensembl and GENCODE; if a file has none, genes are derived from their parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.genome.features import Annotation, Feature
from pipelines.genome.gff3 import BIOTYPES, location, rows

TRANSCRIPTS = frozenset({"transcript", "mrna"})
PARTS = frozenset({"exon", "cds"})
_ATTRIBUTE = re.compile(r'(?:^|;)\s*([^\s;"]+)[ \t]+(?:"([^"]*)"|([^\s;"]+))')


@dataclass
class _Span:
    start: int
    end: int
    biotype: str | None


_Spans = dict[tuple[str, str, str], _Span]


def read(path: Path, is_gene: Callable[[str], bool], is_gene_like: Callable[[str], bool]) -> Annotation:
    """Read genes and gene-like features.

    If the type `gene` is requested and no row has it, a gene is the span of all transcripts with the same gene_id,
    chromosome and strand, or of their exons and CDS if the file has no transcripts.

    Args:
        path: GTF, plain or gzip.
        is_gene: whether a type of column 3 is taken as a gene.
        is_gene_like: whether negatives may not overlap a type of column 3.

    Raises:
        InputError: missing or damaged file, a row that is not GTF (with its line number).
    """
    annotation = Annotation()
    transcripts: _Spans = {}
    parts: _Spans = {}
    can_derive = is_gene("gene")
    for number, columns in rows(path):
        feature_type = columns[2]
        annotation.types[feature_type] += 1
        takes_gene, is_excluded = is_gene(feature_type), is_gene_like(feature_type)
        name = feature_type.lower()
        spans = transcripts if name in TRANSCRIPTS else parts if name in PARTS else None
        is_part = can_derive and not annotation.genes and spans is not None
        if not (takes_gene or is_excluded or is_part):
            continue
        start, end = location(columns, path, number)
        chromosome, strand = columns[0], columns[6]
        if is_excluded:
            annotation.exclude(chromosome, start, end, strand)
        if takes_gene or is_part:
            gene_id, biotype = _identity(columns[8])
            gene_id = gene_id or f"{chromosome}:{start}-{end}"
            if takes_gene:
                annotation.genes.append(Feature(chromosome, start, end, strand, gene_id, biotype))
            elif spans is not None:
                _widen(spans, (gene_id, chromosome, strand), start, end, biotype)
    if not annotation.genes:
        _add_derived_genes(annotation, transcripts or parts)
    return annotation


def _widen(spans: _Spans, key: tuple[str, str, str], start: int, end: int, biotype: str | None) -> None:
    span = spans.setdefault(key, _Span(start, end, biotype))
    span.start, span.end = min(span.start, start), max(span.end, end)
    span.biotype = span.biotype or biotype


def _add_derived_genes(annotation: Annotation, spans: _Spans) -> None:
    for (gene_id, chromosome, strand), span in spans.items():
        annotation.genes.append(Feature(chromosome, span.start, span.end, strand, gene_id, span.biotype))
        annotation.exclude(chromosome, span.start, span.end, strand)


def _identity(attributes: str) -> tuple[str | None, str | None]:
    """The gene_id and biotype in column 9; of a repeated key the first value counts."""
    pairs: dict[str, str] = {}
    for key, quoted, bare in _ATTRIBUTE.findall(attributes):
        pairs.setdefault(key, quoted or bare)
    biotype = next((pairs[key] for key in BIOTYPES if pairs.get(key)), None)
    return pairs.get("gene_id") or pairs.get("transcript_id") or None, biotype
