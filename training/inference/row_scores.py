"""Scores of a dataset's rows for an evaluation, by a pool of actors that map the dataset where they run.

The batches are those of one process that scores all rows; actors take several of them at a time. So a row's score does
not depend on the number of actors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn

from pipelines.build import left_out
from pipelines.dataset.location import Location, local
from pipelines.dataset.manifest import LEFT_OUT, read_manifest
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError
from pipelines.ray_map import map_tables_on_actors
from training.bundle.bundle import Bundle
from training.data.step_plan import Rows, scoring_batches
from training.distributed.nodes.actor_pool import Pool
from training.engine.scoring import probabilities, shape_of_scores
from training.evaluation.row_source import Advance, RowSource, ScoreRows
from training.hardware import devices
from training.inference import score_columns

TASK_TOKENS = 1 << 22
"""Tokens that an actor scores at a time, at least: a task costs some milliseconds."""
Scores = dict[str, NDArray[np.float64]]


def score_on(pool: Pool) -> ScoreRows:
    """A function that scores rows with the actors of a pool, through Ray."""

    def score(bundles: Mapping[str, Bundle], source: RowSource, token_budget: int, advance: Advance) -> Scores:
        models = {name: bundle.model for name, bundle in bundles.items()}
        scores = {name: np.empty(shape_of_scores(model, len(source.rows))) for name, model in models.items()}
        order, tasks = cut(source.lengths[source.rows], token_budget)
        tables = [
            pa.table({"model": [name], "first": [first], "last": [last]}) for name in models for first, last in tasks
        ]
        mapper = (models, Place.of(source), token_budget, pool.use_gpu)
        actors = min(pool.actors, max(len(tables), 1))
        for scored in map_tables_on_actors(tables, RowScorer, mapper, actors, use_gpu=pool.use_gpu):
            (name,) = scored["model"].unique().to_pylist()
            first = scored["first"][0].as_py()
            # Actors finish in any order.
            scores[name][order[first : first + len(scored)]] = score_columns.scores_of(scored)
            advance(len(scored))
        return scores

    return score


def cut(lengths: NDArray[np.int64], token_budget: int) -> tuple[Rows, list[tuple[int, int]]]:
    """The order in which rows are scored, and the ranges of that order that actors take: whole batches each.

    Args:
        lengths: tokens of each row, shape (rows,).
        token_budget: maximum of padded tokens in a batch.
    """
    batches = scoring_batches(lengths, token_budget)
    order = np.concatenate(batches) if batches else np.empty(0, np.int64)
    tasks: list[tuple[int, int]] = []
    first = last = tokens = 0
    for batch in batches:
        last += len(batch)
        tokens += int(lengths[batch].sum())
        if tokens >= TASK_TOKENS or last == len(order):
            tasks.append((first, last))
            first, tokens = last, 0
    return order, tasks


@dataclass(frozen=True)
class Place:
    """Where an actor reads rows: in a dataset of that fingerprint, a split of it or the genes that it leaves out.

    Attributes:
        directory: of the dataset, or its address.
        fingerprint: of the dataset.
        split: its name; None: the genes left out.
        rows: which rows, shape (rows,).
    """

    directory: Location
    fingerprint: str
    split: str | None
    rows: Rows

    @classmethod
    def of(cls, source: RowSource) -> Place:
        """Where the rows of a source are."""
        return cls(_absolute(source.directory), source.fingerprint, source.split, source.rows)

    def open(self) -> RowSource:
        """The rows, opened on this machine.

        Raises:
            DatasetError: another dataset, or none.
        """
        if self.split is not None:
            dataset = TokenDataset.open(self.directory, self.split, self.fingerprint)
            return RowSource.of_split(self.directory, dataset, self.rows)
        directory = local(self.directory, [LEFT_OUT])
        manifest = read_manifest(directory)
        genes = left_out.read(directory, manifest)
        if genes is None or manifest["fingerprint"] != self.fingerprint:
            raise DatasetError(f"{self.directory}: the dataset was replaced", "evaluate again", code="replaced")
        return RowSource(self.directory, self.fingerprint, None, genes.tokens, genes.lengths, self.rows)


def _absolute(location: Location) -> Location:
    """The location as an actor, which has another working directory, finds it."""
    return location.absolute() if isinstance(location, Path) else location


class RowScorer:
    """Maps a table of a model and a range of the order of rows to the probabilities of those rows.

    Args:
        models: by name.
        place: of the rows.
        token_budget: maximum of padded tokens in a batch.
        use_gpu: whether this actor was assigned a GPU.
    """

    def __init__(self, models: Mapping[str, nn.Module], place: Place, token_budget: int, use_gpu: bool) -> None:
        self._device = torch.device("cpu")
        if use_gpu:
            import ray

            self._device = devices.of_worker("cuda", ray.get_gpu_ids())
        self._models = {name: model.to(self._device) for name, model in models.items()}
        self._source, self._token_budget = place.open(), token_budget
        self._order, _ = cut(self._source.lengths[place.rows], token_budget)

    def __call__(self, table: pa.Table) -> pa.Table:
        (task,) = table.to_pylist()
        source, rows = self._source, self._source.rows[self._order[task["first"] : task["last"]]]
        model = self._models[task["model"]]
        scores = probabilities(model, source.tokens, source.lengths, self._token_budget, self._device, rows)
        return pa.table(
            {
                "model": pa.array([task["model"]] * len(rows)).dictionary_encode(),
                "first": np.full(len(rows), task["first"]),
                "probability": score_columns.column(scores),
            }
        )
