"""The probability of being a gene for given intervals of a genome, or for sequences, as TSV and BED.

Bases are cut and encoded by the code that builds datasets, stretch by stretch, in this process or by a pool of actors: memory
grows with the number of intervals, but not with their bases. Each file is written whole or not at all, BED before TSV.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import schema, storage
from pipelines.build import encode_tokens, task_plan
from pipelines.errors import InputError, UsageError
from pipelines.genome import bed, fasta, sequence
from pipelines.genome.fasta import Genome
from pipelines.genome.features import Feature
from pipelines.genome.labelled import Sequences
from pipelines.progress import Progress
from pipelines.ray_map import map_tables_on_actors
from training.distributed.actor_pool import Pool
from training.inference.scorer import Scorer, in_actor

COLUMNS = ("chromosome", "start", "end", "strand", "name", "length", "probability", "call")
_STRANDS = {"+", "-", "."}
Spread = Callable[[list[pa.Table], Scorer, Sequences], Iterator[pa.Table]]


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


@dataclass(frozen=True)
class Wanted:
    """What is to be scored.

    Attributes:
        genome: where the bases are.
        features: intervals, sorted by chromosome (FASTA order) and start.
        skipped: what cannot be scored, by reason.
    """

    genome: Genome
    features: list[Feature]
    skipped: Counter[str]


def intervals_of(fasta_path: Path, intervals_path: Path, feature_types: Sequence[str], progress: Progress) -> Wanted:
    """The intervals of a BED, GFF3 or GTF file.

    Args:
        fasta_path: the genome.
        intervals_path: what to score. A strand of `.` is read forward; so is any that is not `+` or `-`, which is told.
        feature_types: GFF3 or GTF types to take.
        progress: told of the stages, and warned of unknown strands.

    Raises:
        InputError: a file is missing or damaged, or no interval lies on a sequence of the FASTA file.
    """
    genome = fasta.open_genome("genome", fasta_path, progress)
    intervals = _stranded(bed.read_intervals(intervals_path, feature_types), intervals_path, progress)
    features, skipped = _sorted(intervals, genome, intervals_path)
    return Wanted(genome, features, skipped)


def sequences_of(fasta_path: Path, progress: Progress) -> Wanted:
    """Every sequence of a FASTA file as an interval of its own, read as it is written.

    Raises:
        InputError: missing or damaged, or without a sequence that has a letter.
    """
    genome = fasta.open_genome("sequences", fasta_path, progress)
    features = [Feature(name, 0, length, "+", name, None) for name, length in genome.lengths.items() if length]
    empty = len(genome.lengths) - len(features)
    if not features:
        raise InputError(f"{fasta_path}: every sequence is empty", "give sequences")
    return Wanted(genome, features, Counter({"empty_sequence": empty} if empty else {}))


class ScoreIntervals:
    """Maps tables of intervals to tables of their probabilities.

    Args:
        scorer: gives the probability of a sequence.
        genome: where the bases are; its file is readable where this runs.
        use_gpu: whether this actor was given a GPU.
    """

    def __init__(self, scorer: Scorer, genome: Sequences, use_gpu: bool) -> None:
        self._scorer, self._genome = in_actor(scorer, use_gpu=use_gpu), genome

    def __call__(self, table: pa.Table) -> pa.Table:
        bases, lengths = encode_tokens.strand_bases(self._genome, table)
        found = self._scorer(sequence.base_codes(bases), lengths)
        return pa.table({"row": table["row"], "probability": found})


def here(tables: list[pa.Table], scorer: Scorer, genome: Sequences) -> Iterator[pa.Table]:
    """Tables scored in this process, one after another."""
    return map(ScoreIntervals(scorer, genome, use_gpu=False), tables)


def by(pool: Pool) -> Spread:
    """Tables scored by the actors of a pool, through Ray."""

    def spread(tables: list[pa.Table], scorer: Scorer, genome: Sequences) -> Iterator[pa.Table]:
        given = (scorer, genome, pool.use_gpu)
        return map_tables_on_actors(
            tables, ScoreIntervals, given, min(pool.actors, max(len(tables), 1)), use_gpu=pool.use_gpu
        )

    return spread


def predict(wanted: Wanted, scorer: Scorer, threshold: float, progress: Progress, spread: Spread = here) -> Prediction:
    """Score intervals or sequences; the same figures wherever it is done.

    Args:
        wanted: what to score.
        scorer: gives the probability of a sequence.
        threshold: from which probability on an interval is called a gene.
        progress: told of the stages.
        spread: where it is done: `here`, or `by` a pool.
    """
    table = _table(wanted.features)
    tables = [table.slice(rows.start, rows.stop - rows.start) for rows in task_plan.task_rows(table)]
    scores = np.empty(len(table))
    with progress.stage("scoring intervals", len(table)) as stage:
        for found in spread(tables, scorer, wanted.genome):
            scores[found["row"].to_numpy()] = found["probability"].to_numpy()
            stage.advance(len(found))
    return Prediction(wanted.features, scores, wanted.skipped, threshold)


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
    table = pa.table(columns, schema=pa.schema([schema.INTERVALS.field(name) for name in columns]))
    return table.append_column("row", pa.array(np.arange(len(features))))


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
