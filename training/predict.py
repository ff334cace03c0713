"""The probability of being a gene for given intervals of a genome, as TSV and BED.

Intervals are cut and encoded by the code that builds datasets, stretch by stretch: memory grows with the number of
intervals, but not with their bases. Each file is written whole or not at all, BED before TSV.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import bed, encoding, fasta, plan, schema, sequence, storage
from pipelines.errors import InputError, UsageError
from pipelines.fasta import Genome
from pipelines.features import Feature
from pipelines.progress import Progress
from training.bundle import Bundle
from training.scoring import probabilities

COLUMNS = ("chromosome", "start", "end", "strand", "name", "length", "probability", "call")
_STRANDS = {"+", "-", "."}


@dataclass(frozen=True)
class Prediction:
    """Scored intervals, sorted by chromosome (FASTA order) and start.

    Attributes:
        features: the intervals.
        probabilities: of being a gene, shape (intervals,).
        skipped: intervals that could not be scored, by reason.
        threshold: from which probability on an interval is called a gene.
    """

    features: list[Feature]
    probabilities: NDArray[np.float64]
    skipped: Counter[str]
    threshold: float

    @property
    def called(self) -> int:
        """Intervals called genes."""
        return int((self.probabilities >= self.threshold).sum())


def predict(
    bundle: Bundle,
    fasta_path: Path,
    intervals_path: Path,
    feature_types: Sequence[str],
    token_budget: int,
    progress: Progress,
) -> Prediction:
    """Score intervals of a genome.

    Args:
        bundle: the model with its tokenizer.
        fasta_path: the genome.
        intervals_path: BED or GFF3. A strand of `.` is read forward; so is any that is not `+` or `-`, which is told.
        feature_types: GFF3 types to score.
        token_budget: most padded tokens in one batch.
        progress: told of the stages, and warned of unknown strands.

    Returns:
        The scores. They, the intervals and nothing else grow in memory with the number of intervals; bases are
        read a stretch at a time. `write` writes them as BED, then as TSV.

    Raises:
        InputError: a file is missing or damaged, or no interval lies on a sequence of the FASTA file.
    """
    genome = fasta.open_genome("genome", fasta_path, progress)
    intervals = _stranded(bed.read_intervals(intervals_path, feature_types), intervals_path, progress)
    features, skipped = _sorted(intervals, genome, intervals_path)
    table = _table(features)
    scores = np.empty(len(features))
    with progress.stage("scoring intervals", len(features)) as stage:
        for rows in plan.stretches(table):
            piece = table.slice(rows.start, rows.stop - rows.start)
            bases, lengths = encoding.strand_bases(genome, piece)
            tokens, counts = bundle.tokenizer.encode_many(sequence.base_codes(bases), lengths)
            scores[rows] = probabilities(bundle.model, tokens, counts, token_budget)
            stage.advance(len(piece))
    return Prediction(features, scores, skipped, float(bundle.config["threshold"]))


def _stranded(features: list[Feature], path: Path, progress: Progress) -> list[Feature]:
    """The features, of which those of an unknown strand (`?` in GFF3) have none (`.`)."""
    unknown = [feature.strand for feature in features if feature.strand not in _STRANDS]
    if unknown:
        seen = ", ".join(sorted(set(unknown))[:3])
        progress.warn(f"{path}: {len(unknown):,} intervals of unknown strand ({seen}) are read forward")
    return [one if one.strand in _STRANDS else replace(one, strand=".") for one in features]


def _sorted(features: list[Feature], genome: Genome, path: Path) -> tuple[list[Feature], Counter[str]]:
    lengths = genome.lengths
    order = {name: number for number, name in enumerate(lengths)}
    skipped: Counter[str] = Counter()
    kept = []
    for feature in features:
        if feature.chromosome not in lengths:
            skipped["unknown_sequence"] += 1
        elif feature.end > lengths[feature.chromosome]:
            skipped["past_the_end"] += 1
        else:
            kept.append(feature)
    if not kept:
        there = ", ".join(dict.fromkeys(feature.chromosome for feature in features[:1000]))[:80]
        raise InputError(
            f"{path}: no interval lies on a sequence of {genome.fasta}",
            f"make the names agree; the intervals have {there}, the FASTA has {', '.join(list(lengths)[:3])}",
        )
    return sorted(kept, key=lambda feature: (order[feature.chromosome], feature.start, feature.end)), skipped


def _table(features: list[Feature]) -> pa.Table:
    columns = {
        "genome": ["genome"] * len(features),
        "chromosome": [feature.chromosome for feature in features],
        "start": [feature.start for feature in features],
        "end": [feature.end for feature in features],
        "strand": [feature.strand for feature in features],
    }
    return pa.table(columns, schema=pa.schema([schema.INTERVALS.field(name) for name in columns]))


def outputs(path: Path) -> tuple[Path, Path]:
    """The BED and TSV files for an `--output`: its stem with both endings.

    Raises:
        UsageError: another ending.
    """
    if path.suffix not in {".bed", ".tsv"}:
        raise UsageError(f"--output {path}: ends in neither .bed nor .tsv", "name one of them; both files are written")
    return path.with_suffix(".bed"), path.with_suffix(".tsv")


def write(prediction: Prediction, path: Path) -> tuple[Path, Path]:
    """Write BED6 (probability x 1000 as score), then TSV (see `COLUMNS`), both sorted. Returns their paths.

    A control character in a name becomes a space.
    """
    bed_path, tsv_path = outputs(path)
    storage.write_text(bed_path, "".join(bed.bed_lines(prediction.features, prediction.probabilities.tolist())))
    lines = ["\t".join(COLUMNS) + "\n"]
    for feature, probability in zip(prediction.features, prediction.probabilities.tolist(), strict=True):
        call = "gene" if probability >= prediction.threshold else "negative"
        place = (feature.chromosome, feature.start, feature.end, feature.strand, feature.gene_id)
        columns = (*place, feature.end - feature.start, f"{probability:.6f}", call)
        lines.append("\t".join(str(column).translate(bed.WITHOUT_CONTROLS) for column in columns) + "\n")
    storage.write_text(tsv_path, "".join(lines))
    return bed_path, tsv_path
