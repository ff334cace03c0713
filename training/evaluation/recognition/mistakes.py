"""A model's mistakes as genomic intervals, the most confident first, and as BED9 for a genome browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.genome.bed import WITHOUT_CONTROLS, bed_score, safe_id
from pipelines.report import Table
from training.evaluation.recognition.evaluate import Evaluation, ModelEvaluation

# Red for a negative that is called a gene, blue for a gene that is missed.
COLOURS = {"FP": "202,74,49", "FN": "53,102,168"}
# The UCSC browser shows 60 letters of a description.
_DESCRIPTION = 40
ROWS_AT_ONCE = 1 << 13
_ORDER = [(name, "ascending") for name in ("chromosome", "start", "end", "strand", "interval_id")]
_COLUMNS = ("genome", "chromosome", "start", "end", "strand", "source", "gene_id", "biotype", "interval_id")


@dataclass(frozen=True)
class Mistake:
    """An interval that a model calls wrong.

    Attributes:
        kind: FP, a negative called a gene; or FN, a gene that is missed.
        probability: of being a gene, by the model.
    """

    kind: str
    probability: float
    genome: str
    chromosome: str
    start: int
    end: int
    strand: str
    source: str
    gene_id: str | None
    biotype: str | None
    interval_id: int

    @property
    def position(self) -> str:
        """`genome:chromosome:start-end`, 0-based half-open."""
        return f"{self.genome}:{self.chromosome}:{self.start}-{self.end}"


def mistake_rows(dataset: TokenDataset, model: ModelEvaluation, kind: str) -> NDArray[np.int64]:
    """Row numbers of the mistakes of a kind, the most confident first, shape (mistakes,)."""
    called = model.probabilities >= model.threshold
    wrong = np.flatnonzero(called & (dataset.labels == 0) if kind == "FP" else ~called & (dataset.labels == 1))
    sign = -1 if kind == "FP" else 1
    return wrong[np.argsort(sign * model.probabilities[wrong], kind="stable")]


def count(dataset: TokenDataset, model: ModelEvaluation) -> dict[str, int]:
    """The numbers of false positives and false negatives."""
    kinds = {"false_positives": "FP", "false_negatives": "FN"}
    return {name: len(mistake_rows(dataset, model, kind)) for name, kind in kinds.items()}


def most_confident(dataset: TokenDataset, model: ModelEvaluation, kind: str, limit: int) -> list[Mistake]:
    """Mistakes of a kind, the most confident first, at most `limit` of them."""
    return list(_mistakes(dataset, model, mistake_rows(dataset, model, kind)[:limit]))


def _mistakes(dataset: TokenDataset, model: ModelEvaluation, rows: NDArray[np.int64]) -> Iterator[Mistake]:
    """The mistakes of some rows, in their order, in the memory of `ROWS_AT_ONCE` of them."""
    columns = dataset.table.select(_COLUMNS)
    for first in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[first : first + ROWS_AT_ONCE]
        for row, record in zip(some.tolist(), columns.take(some).to_pylist(), strict=True):
            yield Mistake("FN" if dataset.labels[row] else "FP", float(model.probabilities[row]), **record)


def table(dataset: TokenDataset, model: ModelEvaluation, kind: str, limit: int) -> Table:
    """The most confident mistakes of a kind."""
    mistakes = most_confident(dataset, model, kind, limit)
    total = len(mistake_rows(dataset, model, kind))
    what = "Negatives called genes" if kind == "FP" else "Genes missed"
    rows: list[tuple[object, ...]] = [
        (
            mistake.position,
            mistake.strand,
            mistake.source,
            mistake.gene_id or "",
            mistake.biotype or "",
            mistake.probability,
        )
        for mistake in mistakes
    ]
    header = ("position", "strand", "source", "gene", "biotype", "probability")
    return Table(f"{what}: the {len(mistakes):,} most confident of {total:,}", header, rows)


def output_paths(path: Path, models: Sequence[str], genomes: Sequence[str]) -> dict[tuple[str, str], Path]:
    """The file for each model and genome: `path`, with their names before its ending if there are several."""
    paths = {}
    for model in models:
        for genome in genomes:
            names = [model.replace("/", "-")] * (len(models) > 1) + [genome] * (len(genomes) > 1)
            paths[model, genome] = path.with_name(".".join([path.stem, *names]) + path.suffix)
    return paths


def write(evaluation: Evaluation, path: Path) -> list[Path]:
    """Write every mistake as BED9, a file for each model and genome if there are several of either.

    Args:
        evaluation: the models and the rows.
        path: the file; with several models or genomes their names go before its ending.

    Returns:
        The files, each sorted by chromosome and start and written whole or not at all.
    """
    dataset, written = evaluation.dataset, []
    paths = output_paths(path, [model.name for model in evaluation.models], evaluation.genomes)
    genomes = dataset.table["genome"].combine_chunks()
    for model in evaluation.models:
        rows = np.concatenate([mistake_rows(dataset, model, kind) for kind in ("FP", "FN")])
        keys = dataset.table.select([name for name, _ in _ORDER]).take(rows)
        rows = rows[pc.sort_indices(keys, sort_keys=_ORDER).to_numpy()]
        for genome in evaluation.genomes:
            of_genome = rows[pc.equal(genomes.take(rows), genome).to_numpy(zero_copy_only=False)]
            description = f"{model.name}, {dataset.split}, {genome}"
            target = paths[model.name, genome]
            with storage.replacing(target) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(_bed_lines(_mistakes(dataset, model, of_genome), description))
            written.append(target)
    return written


def _bed_lines(mistakes: Iterable[Mistake], description: str) -> Iterator[str]:
    description = description.translate(WITHOUT_CONTROLS).replace('"', "'")[:_DESCRIPTION]
    yield f'track name="mistakes" description="{description}: FP red, FN blue" itemRgb="On"\n'
    for mistake in mistakes:
        gene = safe_id(mistake.gene_id or str(mistake.interval_id))
        name = f"{mistake.kind}:{gene}:{mistake.source}:p={mistake.probability:.3f}"
        columns = (mistake.chromosome, mistake.start, mistake.end, name, bed_score(mistake.probability), mistake.strand)
        yield "\t".join(str(column) for column in (*columns, mistake.start, mistake.end, COLOURS[mistake.kind])) + "\n"
