"""Intervals to score, read from BED, GFF3 or GTF, and scored intervals written as BED."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipelines.errors import InputError
from pipelines.genome import annotation, bed_reader
from pipelines.genome.features import Feature
from pipelines.inputs import contents
from pipelines.progress import Progress


def read_intervals(path: Path, feature_types: Sequence[str], progress: Progress | None = None) -> list[Feature]:
    """Read intervals in file order.

    Args:
        path: BED, GFF3 or GTF, plain or compressed; the first row decides.
        feature_types: GFF3 or GTF types to take; of a BED file every row is taken.
        progress: where the number of rows that give no interval is reported.

    Raises:
        InputError: missing or damaged, a row that is not of its format (with its line number), no interval.
    """
    # The first rows are read twice.
    with contents.unchanged(path):
        return _read_intervals(path, feature_types, progress)


def _read_intervals(path: Path, feature_types: Sequence[str], progress: Progress | None) -> list[Feature]:
    if annotation.format_of(path) != "BED":
        annotated = annotation.read(path, feature_types, [])
        if progress and (unused := annotated.describe_unused()):
            progress.note(f"{path}: {unused}")
        return annotated.genes
    features = [_parse_row(columns, path, number) for number, columns in bed_reader.rows(path)]
    if not features:
        raise InputError(f"{path}: holds no interval", "give a BED, GFF3 or GTF file with at least one")
    return features


def _parse_row(columns: list[str], path: Path, number: int) -> Feature:
    feature = bed_reader.feature(columns, path, number)
    if feature.start == feature.end:
        raise InputError(
            f"{path}: line {number}: start {feature.start} and end {feature.end} are not 0 <= start < end",
            "fix the line",
        )
    return feature


def bed_score(probability: float) -> int:
    """A probability as a score of BED column 5, 0 to 1000."""
    return round(1000 * probability)


# These include tabs and line ends, which the percent-decoded ids of GFF3 may hold.
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
