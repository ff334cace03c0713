"""Intervals to score, from BED, GFF3 or GTF, and scored intervals back to BED."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.genome import annotation, bed_reader
from pipelines.genome.features import Feature


def read_intervals(path: Path, feature_types: Sequence[str]) -> list[Feature]:
    """Read intervals in file order.

    Args:
        path: BED, GFF3 or GTF, plain or gzip, told apart by the first row.
        feature_types: GFF3 or GTF types to take; BED rows are all taken.

    Raises:
        InputError: missing or damaged, a row that is not of its format (with its line number), nothing in it.
    """
    if annotation.format_of(path) != "BED":
        return annotation.read(path, feature_types, []).genes
    found = [_row(columns, path, number) for number, columns in bed_reader.rows(path)]
    if not found:
        raise InputError(f"{path}: holds no interval", "give a BED, GFF3 or GTF file with at least one")
    return found


def _row(columns: list[str], path: Path, number: int) -> Feature:
    feature = bed_reader.feature(columns, path, number)
    if feature.start == feature.end:
        raise InputError(
            f"{path}: line {number}: start {feature.start} and end {feature.end} are not 0 <= start < end",
            "mend the line",
        )
    return feature


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
