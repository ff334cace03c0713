"""Intervals to score, read from BED, GFF3 or GTF, and scored intervals written as BED."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

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


# The UCSC browser shows 255 letters of a name, and splits lines at spaces.
MAX_NAME, MAX_GENE_ID = 255, 100
_SAFE = "!#$'()*+,-./:<=>?@[]^_`{|}~%;&"


def name(gene_ids: Sequence[str]) -> str:
    """Gene ids as a name of BED column 4: the first, a colon, then the others with commas between them.

    Spaces and control characters are percent-encoded. Ids that exceed `MAX_NAME` letters are counted, as in `a:b,c,+7`.
    """
    ids = [safe_id(gene_id) for gene_id in gene_ids]
    text = ids[0]
    for number, gene_id in enumerate(ids[1:], 1):
        separator = ":" if number == 1 else ","
        rest = f",+{len(ids) - number}"
        if len(text) + len(separator) + len(gene_id) + len(rest) > MAX_NAME:
            return f"{text}{separator}+{len(ids) - number}"
        text = f"{text}{separator}{gene_id}"
    return text


def safe_id(gene_id: str) -> str:
    """An id as a part of a name: at most `MAX_GENE_ID` letters, without spaces."""
    return quote(gene_id[:MAX_GENE_ID], safe=_SAFE)


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
