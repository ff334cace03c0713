"""Intervals to score, from BED or GFF3, and scored intervals back to BED.

BED as the UCSC Genome Browser specifies it: 0-based half-open, tab-separated, 3 to 12 columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines import annotation
from pipelines.annotation import Feature, coordinate, lines_of
from pipelines.errors import InputError

_GFF3_ENDINGS = (".gff", ".gff3", ".gff.gz", ".gff3.gz")
_HEADERS = ("track", "browser")


def read_intervals(path: Path, feature_types: Sequence[str]) -> list[Feature]:
    """Read intervals in file order; a file ending in .gff or .gff3 (.gz) is GFF3, any other is BED.

    Args:
        path: the file, plain or gzip.
        feature_types: GFF3 types to take; BED rows are all taken.

    Raises:
        InputError: missing or damaged, a row that is not of its format (with its line number), nothing in it.
    """
    if path.name.lower().endswith(_GFF3_ENDINGS):
        return annotation.read_gff3(path, feature_types, []).genes
    found = []
    for number, line in lines_of(path):
        columns = line.split("\t")
        if line.strip() and not line.startswith("#") and not _is_header(columns):
            found.append(_row(columns, path, number))
    if not found:
        raise InputError(f"{path}: holds no interval", "give a BED or GFF3 file with at least one")
    return found


def _is_header(columns: list[str]) -> bool:
    """True for the track and browser lines of UCSC, but not for rows of a sequence that is called so."""
    is_row = len(columns) >= 3 and columns[1].isdigit()
    return not is_row and columns[0].split(" ")[0] in _HEADERS


def _row(columns: list[str], path: Path, number: int) -> Feature:
    if len(columns) < 3:
        raise InputError(
            f"{path}: line {number}: {len(columns)} columns instead of 3 or more", "give tab-separated BED"
        )
    start, end = coordinate(columns[1], path, number), coordinate(columns[2], path, number)
    if start >= end:
        raise InputError(
            f"{path}: line {number}: start {start} and end {end} are not 0 <= start < end", "mend the line"
        )
    name = columns[3] if len(columns) > 3 and columns[3] else f"{columns[0]}:{start}-{end}"
    strand = columns[5] if len(columns) > 5 and columns[5] else "."
    if strand not in {"+", "-", "."}:
        raise InputError(f"{path}: line {number}: strand {strand!r}", "use +, - or .")
    return Feature(columns[0], start, end, strand, name, None)


def bed_score(probability: float) -> int:
    """A probability as the 0 to 1000 of BED column 5."""
    return round(1000 * probability)


# Tabs and line ends among them: percent-decoded GFF3 ids may hold some.
WITHOUT_CONTROLS = dict.fromkeys([*range(32), *range(127, 160), 0x2028, 0x2029], " ")


def bed_lines(features: Iterable[Feature], probabilities: Iterable[float]) -> Iterable[str]:
    """BED6 lines of scored intervals; a control character in a name becomes a space."""
    for feature, probability in zip(features, probabilities, strict=True):
        columns = (
            feature.chromosome,
            feature.start,
            feature.end,
            feature.gene_id,
            bed_score(probability),
            feature.strand,
        )
        yield "\t".join(str(column).translate(WITHOUT_CONTROLS) for column in columns) + "\n"
