"""Genes of BED files: every row is one, with its exons and CDS if it has 12 columns.

BED12 as the UCSC Genome Browser specifies it: blocks are exons, and what lies from `thickStart` to `thickEnd` is
coding.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from pipelines.errors import InputError
from pipelines.gene_models.model import Gene, Spans, Transcript
from pipelines.genome import bed_reader
from pipelines.inputs.numbered_lines import coordinate

COLUMNS = 12
_MAX_SCORE = 1000


def read(path: Path) -> list[Gene]:
    """The genes of a BED file, in file order.

    Raises:
        InputError: missing or damaged, or a row that is not BED (with its line number).
    """
    return [_gene(columns, path, number) for number, columns in bed_reader.rows(path)]


def _gene(columns: list[str], path: Path, number: int) -> Gene:
    feature = bed_reader.feature(columns, path, number)
    transcripts: tuple[Transcript, ...] = ()
    if len(columns) >= COLUMNS and feature.start < feature.end:
        exons = _blocks(columns, feature.start, feature.end, path, number)
        first, last = coordinate(columns[6], path, number), coordinate(columns[7], path, number)
        cds = tuple((max(low, first), min(high, last)) for low, high in exons if low < last and high > first)
        transcripts = (Transcript(feature.gene_id, exons, cds),)
    score = _score(columns[4]) if len(columns) > 4 else None
    return Gene(
        feature.gene_id, feature.chromosome, feature.start, feature.end, feature.strand, transcripts, score=score
    )


def _blocks(columns: list[str], start: int, end: int, path: Path, number: int) -> Spans:
    sizes, offsets = ([coordinate(text, path, number) for text in columns[at].strip(",").split(",")] for at in (10, 11))
    blocks = sorted(
        (start + offset, start + offset + size) for size, offset in zip(sizes, offsets, strict=False) if size
    )
    wrong = len(sizes) != len(offsets) or str(len(sizes)) != columns[9].strip() or not blocks
    if (
        wrong
        or blocks[0][0] != start
        or blocks[-1][1] != end
        or any(b[1] > a[0] for b, a in itertools.pairwise(blocks))
    ):
        raise InputError(
            f"{path}: line {number}: blockCount {columns[9]}, blockSizes and blockStarts do not fit {start} to {end}",
            "give blocks that do not overlap, the first at chromStart and the last up to chromEnd",
        )
    return tuple(blocks)


def _score(text: str) -> float | None:
    return int(text) / _MAX_SCORE if text.isdecimal() and int(text) <= _MAX_SCORE else None
