"""The probability of being a gene, or of each class, for given intervals of a genome or sequences, as TSV and BED.

Bases are cut and encoded by the code that builds datasets, batch by batch, in this process or by a pool of actors:
memory grows with the number of intervals, but not with their bases. Each file is written whole or not at all, BED
before TSV.
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
from pipelines.genome import bed, contigs, fasta, sequence
from pipelines.genome.fasta import Genome
from pipelines.genome.features import Feature
from pipelines.genome.labelled import Sequences
from pipelines.progress import Progress
from pipelines.ray_map import map_tables_on_actors
from training.distributed.nodes.actor_pool import Pool
from training.engine.scoring import shape_of_scores
from training.inference import score_columns, unknown_tokens
from training.inference.scorer import ModelScorer, Scorer, to_assigned_gpu

COLUMNS = ("chromosome", "start", "end", "strand", "name", "length", "probability", "call")
_STRANDS = {"+", "-", "."}
# Scores tables of intervals: `score_locally`, or what `score_on` gives.
ScoreTables = Callable[[list[pa.Table], Scorer, Sequences], Iterator[pa.Table]]


@dataclass(frozen=True)
class Prediction:
    """Scored intervals, sorted by chromosome (FASTA order) and start.

    Attributes:
        features: the intervals.
        probabilities: of being a gene, shape (intervals,); or of each class, shape (intervals, classes).
        skipped: number of intervals that could not be scored, by reason.
        threshold: an interval with a probability at or above it is called a gene; None of a model of classes.
    """

    features: list[Feature]
    probabilities: NDArray[np.float64]
    skipped: Counter[str]
    threshold: float | None

    @property
    def called(self) -> int:
        """Number of intervals called genes."""
        return 0 if self.threshold is None else int((self.probabilities >= self.threshold).sum())


@dataclass(frozen=True)
class ScoringInput:
    """The intervals to score.

    Attributes:
        genome: gives the bases.
        features: intervals, sorted by chromosome (FASTA order) and start.
        skipped: number of intervals that cannot be scored, by reason.
    """

    genome: Genome
    features: list[Feature]
    skipped: Counter[str]


def read_intervals(
    fasta_path: Path, intervals_path: Path, feature_types: Sequence[str], progress: Progress
) -> ScoringInput:
    """Read the intervals of a BED, GFF3 or GTF file.

    Args:
        fasta_path: the genome.
        intervals_path: the intervals. A strand of `.` is read forward; so is any other that is not `+` or `-`, with a
            warning.
        feature_types: GFF3 or GTF types to take.
        progress: shows the stages, and the warning.

    Raises:
        InputError: a file is missing or damaged, or no interval lies on a sequence of the FASTA file.
    """
    genome = fasta.open_genome("genome", fasta_path, progress)
    intervals = contigs.in_fasta(bed.read_intervals(intervals_path, feature_types, progress), genome.lengths)
    intervals = _with_known_strands(intervals, intervals_path, progress)
    features, skipped = _sort_and_filter(intervals, genome, intervals_path)
    return ScoringInput(genome, features, skipped)


def read_sequences(fasta_path: Path, progress: Progress) -> ScoringInput:
    """Read every sequence of a FASTA file as an interval of its own, on the strand as written.

    Raises:
        InputError: missing or damaged, or without a sequence that has a letter.
    """
    genome = fasta.open_genome("sequences", fasta_path, progress)
    features = [Feature(name, 0, length, "+", name, None) for name, length in genome.lengths.items() if length]
    empty = len(genome.lengths) - len(features)
    if not features:
        raise InputError(f"{fasta_path}: every sequence is empty", "give sequences")
    return ScoringInput(genome, features, Counter({"empty_sequence": empty} if empty else {}))


class ScoreIntervals:
    """Maps tables of intervals to tables of their probabilities.

    Args:
        scorer: gives the probability of a sequence.
        genome: gives the bases; its file is readable from the actor's node.
        use_gpu: whether this actor was assigned a GPU.
    """

    def __init__(self, scorer: Scorer, genome: Sequences, use_gpu: bool) -> None:
        self._scorer, self._genome = to_assigned_gpu(scorer, use_gpu=use_gpu), genome

    def __call__(self, table: pa.Table) -> pa.Table:
        bases, lengths = encode_tokens.strand_bases(self._genome, table)
        scores = self._scorer(sequence.base_codes(bases), lengths)
        return pa.table({"row": table["row"], "probability": score_columns.column(scores)})


def score_locally(tables: list[pa.Table], scorer: Scorer, genome: Sequences) -> Iterator[pa.Table]:
    """Score tables in this process, one after another."""
    return map(ScoreIntervals(scorer, genome, use_gpu=False), tables)


def score_on(pool: Pool) -> ScoreTables:
    """A function that scores tables with the actors of a pool, through Ray."""

    def score(tables: list[pa.Table], scorer: Scorer, genome: Sequences) -> Iterator[pa.Table]:
        arguments = (scorer, genome, pool.use_gpu)
        actors = min(pool.actors, max(len(tables), 1))
        return map_tables_on_actors(tables, ScoreIntervals, arguments, actors, use_gpu=pool.use_gpu)

    return score


def predict(
    intervals: ScoringInput,
    scorer: Scorer,
    threshold: float | None,
    progress: Progress,
    score_tables: ScoreTables = score_locally,
) -> Prediction:
    """Score intervals or sequences; the figures do not depend on where they are computed.

    Args:
        intervals: what to score.
        scorer: gives the probability of a sequence, or of each class.
        threshold: an interval with a probability at or above it is called a gene; None for classes.
        progress: shows the stages.
        score_tables: `score_locally`, or `score_on` a pool.

    Raises:
        InputError: most tokens are `<unk>` to the model.
    """
    if isinstance(scorer, ModelScorer):
        places = [(feature.chromosome, feature.start, feature.end, feature.strand) for feature in intervals.features]
        unknown_tokens.check(str(intervals.genome.fasta), places, intervals.genome, scorer.tokenizer, progress)
    table = _table(intervals.features)
    tables = [table.slice(rows.start, rows.stop - rows.start) for rows in task_plan.task_rows([table])]
    scores = np.empty(shape_of_scores(scorer.model, len(table)) if isinstance(scorer, ModelScorer) else len(table))
    with progress.stage("scoring intervals", len(table), unit="intervals") as stage:
        for scored in score_tables(tables, scorer, intervals.genome):
            # Actors finish in any order.
            scores[scored["row"].to_numpy()] = score_columns.scores_of(scored)
            stage.advance(len(scored))
    return Prediction(intervals.features, scores, intervals.skipped, threshold)


def _with_known_strands(features: list[Feature], path: Path, progress: Progress) -> list[Feature]:
    """The features, with `.` as the strand of those whose strand is unknown (`?` in GFF3)."""
    unknown = [feature.strand for feature in features if feature.strand not in _STRANDS]
    if unknown:
        examples = ", ".join(sorted(set(unknown))[:3])
        progress.warn(f"{path}: {len(unknown):,} intervals of unknown strand ({examples}) are read forward")
    return [feature if feature.strand in _STRANDS else replace(feature, strand=".") for feature in features]


def _sort_and_filter(features: list[Feature], genome: Genome, path: Path) -> tuple[list[Feature], Counter[str]]:
    """The features that lie on the genome's sequences, sorted; and how many do not, by reason.

    Raises:
        InputError: none of them does.
    """
    lengths = genome.lengths
    order = {name: number for number, name in enumerate(lengths)}
    skipped: Counter[str] = Counter()
    usable = []
    for feature in features:
        if feature.chromosome not in lengths:
            skipped["unknown_sequence"] += 1
        elif feature.end > lengths[feature.chromosome]:
            skipped["past_the_end"] += 1
        else:
            usable.append(feature)
    if not usable:
        names = ", ".join(dict.fromkeys(feature.chromosome for feature in features[:1000]))[:80]
        raise InputError(
            f"{path}: no interval lies on a sequence of {genome.fasta}",
            f"make the names agree; the intervals have {names}, the FASTA has {', '.join(list(lengths)[:3])}",
        )
    return sorted(usable, key=lambda feature: (order[feature.chromosome], feature.start, feature.end)), skipped


def _table(features: list[Feature]) -> pa.Table:
    """The intervals as a table of the columns that cutting bases needs, and their row numbers."""
    columns = {
        "genome": ["genome"] * len(features),
        "chromosome": [feature.chromosome for feature in features],
        "start": [feature.start for feature in features],
        "end": [feature.end for feature in features],
        "strand": [feature.strand for feature in features],
    }
    table = pa.table(columns, schema=pa.schema([schema.INTERVALS.field(name) for name in columns]))
    return table.append_column("row", pa.array(np.arange(len(features))))


def prediction_files(path: Path) -> tuple[Path, Path]:
    """The BED and TSV files for an `--output`: its name with either ending.

    Raises:
        UsageError: another ending.
    """
    if path.suffix not in {".bed", ".tsv"}:
        raise UsageError(f"--output {path}: ends in neither .bed nor .tsv", "name one of them; both files are written")
    return path.with_suffix(".bed"), path.with_suffix(".tsv")


def write_classes(prediction: Prediction, classes: Sequence[str], path: Path) -> tuple[Path, Path]:
    """Write the most probable class of each interval: BED6 with its name and 1000 times its probability, and TSV.

    TSV has the columns up to `length` of `COLUMNS`, then `class`, its `probability`, and `probability:CLASS` of every
    class. Of equal probabilities the first counts. Returns their paths.

    Args:
        prediction: of a model of classes.
        classes: their names, in the order of the probabilities.
        path: as of `write`.
    """
    bed_path, tsv_path = prediction_files(path)
    best = prediction.probabilities.argmax(1).tolist()
    named = [
        replace(feature, gene_id=bed.safe_id(classes[at]))
        for feature, at in zip(prediction.features, best, strict=True)
    ]
    highest = prediction.probabilities.max(1).tolist()
    storage.write_text(bed_path, "".join(bed.bed_lines(named, highest)))
    header = (
        *COLUMNS[: COLUMNS.index("probability")],
        "class",
        "probability",
        *(f"probability:{name}" for name in classes),
    )
    lines = ["\t".join(header) + "\n"]
    for feature, at, shares in zip(prediction.features, best, prediction.probabilities.tolist(), strict=True):
        position = (feature.chromosome, feature.start, feature.end, feature.strand, feature.gene_id)
        figures = (f"{share:.6f}" for share in (shares[at], *shares))
        columns = (*position, feature.end - feature.start, classes[at], *figures)
        lines.append("\t".join(str(column).translate(bed.WITHOUT_CONTROLS) for column in columns) + "\n")
    storage.write_text(tsv_path, "".join(lines))
    return bed_path, tsv_path


def write(prediction: Prediction, path: Path) -> tuple[Path, Path]:
    """Write BED6 (probability x 1000 as score), then TSV (see `COLUMNS`), both sorted. Returns their paths.

    A control character in a name becomes a space.
    """
    bed_path, tsv_path = prediction_files(path)
    assert prediction.threshold is not None
    storage.write_text(bed_path, "".join(bed.bed_lines(prediction.features, prediction.probabilities.tolist())))
    lines = ["\t".join(COLUMNS) + "\n"]
    for feature, probability in zip(prediction.features, prediction.probabilities.tolist(), strict=True):
        call = "gene" if probability >= prediction.threshold else "negative"
        position = (feature.chromosome, feature.start, feature.end, feature.strand, feature.gene_id)
        columns = (*position, feature.end - feature.start, f"{probability:.6f}", call)
        lines.append("\t".join(str(column).translate(bed.WITHOUT_CONTROLS) for column in columns) + "\n")
    storage.write_text(tsv_path, "".join(lines))
    return bed_path, tsv_path
