"""GTF files: the columns of GFF3 with attributes written as `key "value";`.

Format: GTF 2.2 with the gene rows of Ensembl and GENCODE; where a file has none, genes are derived.
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


def read(path: Path, wanted: Callable[[str], bool], gene_like: Callable[[str], bool]) -> Annotation:
    """Read genes and gene-like features.

    Where genes are wanted and no row is one, a gene is what the transcripts of one gene_id, chromosome and strand
    span together, or their exons and CDS where the file has no transcripts.

    Args:
        path: GTF, plain or gzip.
        wanted: whether a type of column 3 is a gene.
        gene_like: whether a type of column 3 is one that negatives may not touch.

    Raises:
        InputError: missing or damaged file, a row that is not GTF (with its line number).
    """
    annotation = Annotation()
    transcripts: _Spans = {}
    parts: _Spans = {}
    derivable = wanted("gene")
    for number, columns in rows(path):
        kind = columns[2]
        annotation.types[kind] += 1
        is_gene, is_excluded = wanted(kind), gene_like(kind)
        spans = transcripts if kind.lower() in TRANSCRIPTS else parts if kind.lower() in PARTS else None
        is_part = derivable and not annotation.genes and spans is not None
        if not (is_gene or is_excluded or is_part):
            continue
        start, end = location(columns, path, number)
        chromosome, strand = columns[0], columns[6]
        if is_excluded:
            annotation.exclude(chromosome, start, end, strand)
        if is_gene or is_part:
            gene_id, biotype = _identity(columns[8])
            gene_id = gene_id or f"{chromosome}:{start}-{end}"
            if is_gene:
                annotation.genes.append(Feature(chromosome, start, end, strand, gene_id, biotype))
            elif spans is not None:
                _widen(spans, (gene_id, chromosome, strand), start, end, biotype)
    if not annotation.genes:
        _derive(annotation, transcripts or parts)
    return annotation


def _widen(spans: _Spans, key: tuple[str, str, str], start: int, end: int, biotype: str | None) -> None:
    span = spans.setdefault(key, _Span(start, end, biotype))
    span.start, span.end = min(span.start, start), max(span.end, end)
    span.biotype = span.biotype or biotype


def _derive(annotation: Annotation, spans: _Spans) -> None:
    for (gene_id, chromosome, strand), span in spans.items():
        annotation.genes.append(Feature(chromosome, span.start, span.end, strand, gene_id, span.biotype))
        annotation.exclude(chromosome, span.start, span.end, strand)


def _identity(attributes: str) -> tuple[str | None, str | None]:
    pairs: dict[str, str] = {}
    for key, quoted, bare in _ATTRIBUTE.findall(attributes):
        pairs.setdefault(key, quoted or bare)
    biotype = next((pairs[key] for key in BIOTYPES if pairs.get(key)), None)
    return pairs.get("gene_id") or pairs.get("transcript_id") or None, biotype
