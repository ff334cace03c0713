"""With dropout, random strands, both strands and averaged weights all on: workers, budgets, layouts and kills."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from tests.training.conftest import write_dataset
from tests.training.engine.fitting import CPU, Threads, losses
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import loop
from training.engine.collective import Alone
from training.engine.objectives.by_task import objective_of
from training.engine.observer import Observer

SMALL = ModelConfig(embedding=8, hidden=8, stem=8, layers=2, heads=2, dropout=0.3, strands="averaged")
KINDS = [
    {"kind": "lstm"},
    {"kind": "gru", "stem": 0, "frames": 3, "bidirectional": True},
    {"kind": "transformer", "absolute_positions": True},
    {"kind": "cnn", "stem": 0, "strands": "single"},
    {"kind": "lstm", "strands": "equivariant"},
    {"kind": "transformer", "strands": "equivariant"},
    {"kind": "lstm", "ensemble": 2},
]
CONFIG = TrainingConfig(epochs=2, global_batch_size=16, ema_decay=0.9, reverse_complement=True, label_smoothing=0.05)
Document = dict[str, Any]


class Keeper(Observer):
    """Copies the state after some steps of each epoch."""

    def __init__(self, documents: list[Document], every: int = 2) -> None:
        self._documents, self._every = documents, every

    def checkpoint_due(self, state: loop.State) -> bool:
        return state.step % self._every == 0

    def checkpoint(self, state: loop.State) -> None:
        self._documents.append(copy.deepcopy(state.document()))


def fit(
    splits: tuple[TokenDataset, TokenDataset],
    model: ModelConfig,
    config: TrainingConfig = CONFIG,
    workers: int = 1,
    document: Document | None = None,
    documents: list[Document] | None = None,
    prepare: Callable[[loop.State], None] = lambda state: None,
) -> loop.State:
    """Train by workers that are threads; return the state of the first."""
    board: list[Any] = [None] * workers
    barrier = threading.Barrier(workers)
    states = []
    for _ in range(workers):
        states.append(loop.start(models.fresh(model, splits[0].tokenizer, 0), config))
        prepare(states[-1])
        if document:
            states[-1].restore(copy.deepcopy(document))

    def work(rank: int) -> None:
        group = Alone() if workers == 1 else Threads(rank, workers, board, barrier)
        observer = Observer() if documents is None or rank else Keeper(documents)
        loop.fit(states[rank], *splits, config, group, CPU, observer, objective=objective_of(config, splits[0]))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert [state.epoch for state in states] == [config.epochs] * workers
    return states[0]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[TokenDataset, TokenDataset]:
    dataset = write_dataset(tmp_path_factory.mktemp("independence") / "data", rows=72, longest=60)
    return TokenDataset.open(dataset, "train"), TokenDataset.open(dataset, "validation")


Uninterrupted = Callable[[dict[str, Any]], tuple[loop.State, list[Document]]]


@pytest.fixture(scope="module")
def uninterrupted(splits: tuple[TokenDataset, TokenDataset]) -> Uninterrupted:
    """The run of a kind by one worker, trained once: how it ends, and its states after every second step."""
    runs: dict[str, tuple[loop.State, list[Document]]] = {}

    def run(changes: dict[str, Any]) -> tuple[loop.State, list[Document]]:
        if str(changes) not in runs:
            documents = list[Document]()
            runs[str(changes)] = fit(splits, SMALL.model_copy(update=changes), documents=documents), documents
        return runs[str(changes)]

    return run


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_the_curve_does_not_depend_on_workers_or_budget(
    splits: tuple[TokenDataset, TokenDataset], uninterrupted: Uninterrupted, changes: dict[str, Any]
) -> None:
    model, (alone, _) = SMALL.model_copy(update=changes), uninterrupted(changes)
    shared = fit(splits, model, CONFIG.model_copy(update={"token_budget": 200}), workers=2)
    np.testing.assert_allclose(losses(shared.records), losses(alone.records), rtol=1e-4)
    for name, tensor in alone.model.state_dict().items():
        torch.testing.assert_close(shared.model.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


def test_dropout_has_an_effect(splits: tuple[TokenDataset, TokenDataset], uninterrupted: Uninterrupted) -> None:
    without = fit(splits, SMALL.model_copy(update={"dropout": 0.0}))
    assert abs(losses(without.records) / losses(uninterrupted(KINDS[0])[0].records) - 1).max() > 1e-3


def test_the_packed_layout_drops_the_same_values(splits: tuple[TokenDataset, TokenDataset]) -> None:
    def pack(state: loop.State) -> None:
        body: Any = state.model.get_submodule("body")
        body.layout = "packed"

    config = CONFIG.model_copy(update={"epochs": 1})
    packed, masked = fit(splits, SMALL, config, prepare=pack), fit(splits, SMALL, config)
    np.testing.assert_allclose(losses(packed.records), losses(masked.records), rtol=1e-5)


@pytest.mark.parametrize("changes", [KINDS[0], *KINDS[3:]], ids=str)
def test_a_run_that_goes_on_after_a_kill_ends_with_the_same_weights(
    splits: tuple[TokenDataset, TokenDataset], uninterrupted: Uninterrupted, changes: dict[str, Any]
) -> None:
    model, (end, documents) = SMALL.model_copy(update=changes), uninterrupted(changes)
    for document in documents[1::2]:
        resumed = fit(splits, model, document=document)
        assert resumed.records[-1]["loss"] == end.records[-1]["loss"]
        for name, tensor in end.best.items():
            assert torch.equal(resumed.best[name], tensor), name


def test_a_run_may_go_on_with_other_workers(
    splits: tuple[TokenDataset, TokenDataset], uninterrupted: Uninterrupted
) -> None:
    alone, documents = uninterrupted(KINDS[0])
    resumed = fit(splits, SMALL, workers=2, document=documents[1])
    np.testing.assert_allclose(losses(resumed.records), losses(alone.records), rtol=1e-4)


def test_a_run_of_an_earlier_version_goes_on_with_its_own_masks(
    splits: tuple[TokenDataset, TokenDataset], uninterrupted: Uninterrupted
) -> None:
    def by_worker(state: loop.State) -> None:
        state.dropout_by_row = False

    documents: list[Document] = []
    earlier = fit(splits, SMALL, documents=documents, prepare=by_worker)
    # What an earlier version has written does not say how masks are drawn.
    assert not any("dropout_by_row" in document for document in documents)
    resumed = fit(splits, SMALL, document=documents[1])
    assert not resumed.dropout_by_row
    assert losses(resumed.records).tolist() == losses(earlier.records).tolist()
    assert (losses(uninterrupted(KINDS[0])[0].records) != losses(earlier.records)).all()


def test_a_run_of_classes_depends_on_neither_workers_nor_kills(class_dataset: Path) -> None:
    opened = TokenDataset.open(class_dataset, "train"), TokenDataset.open(class_dataset, "validation")
    model, documents = SMALL.model_copy(update={"outputs": 3}), list[Document]()
    alone = fit(opened, model, documents=documents)
    shared = fit(opened, model, CONFIG.model_copy(update={"token_budget": 200}), workers=2)
    np.testing.assert_allclose(losses(shared.records), losses(alone.records), rtol=1e-4)
    assert shared.best_record["validation_auroc"] == pytest.approx(alone.best_record["validation_auroc"])
    resumed = fit(opened, model, document=documents[len(documents) // 2])
    for name, tensor in alone.best.items():
        assert torch.equal(resumed.best[name], tensor), name
