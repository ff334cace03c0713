from __future__ import annotations

import copy
import itertools
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.dataset import TokenDataset
from pipelines.errors import TrainingError
from training import loop, models
from training.collective import Alone
from training.config import ModelConfig, TrainingConfig

CPU = torch.device("cpu")
SMALL = {"embedding": 8, "hidden": 8, "stem": 8}


class Threads:
    """A group of workers that are threads of this process."""

    def __init__(self, rank: int, workers: int, board: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.workers, self._board, self._barrier = rank, workers, board, barrier

    def sum_(self, tensor: torch.Tensor) -> None:
        self._board[self.rank] = tensor.clone()
        self._barrier.wait(timeout=60)
        tensor.copy_(torch.stack(self._board).sum(0))
        self._barrier.wait(timeout=60)


def start(train: TokenDataset, config: TrainingConfig, dropout: float = 0.0) -> loop.State:
    torch.manual_seed(0)
    return loop.start(models.make(ModelConfig(dropout=dropout, **SMALL), train.tokenizer.vocabulary_size), config)


def fit(
    train: TokenDataset,
    validation: TokenDataset,
    config: TrainingConfig,
    dropout: float = 0.0,
    document: dict[str, Any] | None = None,
    on_step: Any = lambda state: None,
) -> tuple[list[loop.Record], loop.State, list[dict[str, Any]]]:
    state = start(train, config, dropout)
    if document:
        state.restore(document)
    records: list[loop.Record] = []
    documents: list[dict[str, Any]] = []

    def keep(record: loop.Record, state: loop.State) -> None:
        records.append(record)
        documents.append(copy.deepcopy(state.document()))

    loop.fit(state, train, validation, config, Alone(), CPU, keep, on_step)
    return records, state, documents


def fit_together(
    train: TokenDataset,
    validation: TokenDataset,
    config: TrainingConfig,
    workers: int,
    document: dict[str, Any] | None = None,
) -> list[list[loop.Record]]:
    """The records that each of several workers sees."""
    board: list[Any] = [None] * workers
    barrier = threading.Barrier(workers)
    records: list[list[loop.Record]] = [[] for _ in range(workers)]
    states = [start(train, config) for _ in range(workers)]
    for state in states if document else []:
        state.restore(copy.deepcopy(document))

    def work(rank: int) -> None:
        group = Threads(rank, workers, board, barrier)
        loop.fit(states[rank], train, validation, config, group, CPU, lambda record, _: records[rank].append(record))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return records


def losses(records: list[loop.Record]) -> np.ndarray:
    return np.array([[record["loss"], record["validation_loss"]] for record in records])


@pytest.mark.parametrize("workers", [2, 3])
def test_the_curve_does_not_depend_on_the_number_of_workers(
    train_split: TokenDataset, validation_split: TokenDataset, workers: int
) -> None:
    config = TrainingConfig(epochs=2, batch=16, token_budget=512)
    alone, _, _ = fit(train_split, validation_split, config)
    for records in fit_together(train_split, validation_split, config, workers):
        np.testing.assert_allclose(losses(records), losses(alone), rtol=1e-5)


def test_a_worker_without_a_row_of_a_step_still_takes_part(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=1, batch=2)
    alone, _, _ = fit(train_split, validation_split, config)
    for records in fit_together(train_split, validation_split, config, workers=3):
        np.testing.assert_allclose(losses(records), losses(alone), rtol=1e-5)


def test_the_curve_does_not_depend_on_the_token_budget(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    curves = [
        losses(fit(train_split, validation_split, TrainingConfig(epochs=2, batch=16, token_budget=budget))[0])
        for budget in (1, 700, 65_536)
    ]
    np.testing.assert_allclose(curves[0], curves[2], rtol=1e-5)
    np.testing.assert_allclose(curves[1], curves[2], rtol=1e-5)


def test_going_on_from_any_epoch_equals_never_having_stopped(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=4, batch=16)
    whole, end, documents = fit(train_split, validation_split, config, dropout=0.3)
    for epoch, document in enumerate(documents, start=1):
        rest, resumed, _ = fit(train_split, validation_split, config, dropout=0.3, document=document)
        assert [record["loss"] for record in rest] == [record["loss"] for record in whole[epoch:]]
        assert resumed.best_record["epoch"] == end.best_record["epoch"]
        for name, tensor in end.model.state_dict().items():
            assert torch.equal(tensor, resumed.model.state_dict()[name])
        for name, tensor in end.best.items():
            assert torch.equal(tensor, resumed.best[name])


def test_every_checkpoint_holds_the_records_of_all_its_epochs(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=3, batch=16)
    records, _, documents = fit(train_split, validation_split, config)
    assert [document["records"] for document in documents] == [records[:1], records[:2], records]
    _, resumed, _ = fit(train_split, validation_split, config, document=documents[0])
    assert resumed.records[0] == records[0]
    assert [record["epoch"] for record in resumed.records] == [1, 2, 3]


def test_the_loop_learns_and_keeps_the_earliest_epoch_of_highest_auroc(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    records, state, documents = fit(train_split, validation_split, TrainingConfig(epochs=12, batch=8))
    scores = [record["validation_auroc"] for record in records]
    assert max(scores) > 0.95
    best = int(np.argmax(scores))
    assert state.best_record["epoch"] == best + 1
    for name, tensor in documents[best]["model"].items():
        assert torch.equal(state.best[name], tensor)


def test_tokens_beyond_what_float32_counts_are_added_up_exactly() -> None:
    tokens = 2**24 + 1
    assert loop.summed(torch.tensor(0.5), tokens, Alone()) == (0.5, tokens)


def test_training_stops_when_patience_runs_out(train_split: TokenDataset, validation_split: TokenDataset) -> None:
    config = TrainingConfig(epochs=30, batch=16, patience=2)
    records, state, _ = fit(train_split, validation_split, config)
    assert len(records) == state.best_record["epoch"] + 2 < 30


def test_a_loss_that_is_no_number_is_an_error_with_a_remedy(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=2, batch=16)
    state = start(train_split, config)
    state.model.head.bias.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="learning_rate"):
        loop.fit(state, train_split, validation_split, config, Alone(), CPU, lambda *_: None)


def test_weights_spoilt_by_the_last_step_of_an_epoch_are_an_error_with_a_remedy(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=1, batch=160)
    state = start(train_split, config)
    state.optimizer.register_step_post_hook(lambda *_: state.model.head.bias.data.fill_(float("nan")))
    with pytest.raises(TrainingError, match="learning_rate"):
        loop.fit(state, train_split, validation_split, config, Alone(), CPU, lambda *_: None)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_going_on_from_any_step_equals_never_having_stopped(
    train_split: TokenDataset, validation_split: TokenDataset, precision: str
) -> None:
    config = TrainingConfig(epochs=2, batch=16, checkpoint_steps=3, precision=precision)
    within: list[dict[str, Any]] = []

    def keep(state: loop.State) -> None:
        within.append(copy.deepcopy(state.document()))

    whole, end, _ = fit(train_split, validation_split, config, dropout=0.3, on_step=keep)
    assert [(document["epoch"], document["step"]) for document in within] == [
        (0, 3),
        (0, 6),
        (0, 9),
        (1, 3),
        (1, 6),
        (1, 9),
    ]
    for document in within[1::3]:
        rest, resumed, _ = fit(train_split, validation_split, config, dropout=0.3, document=copy.deepcopy(document))
        np.testing.assert_allclose(losses(rest), losses(whole)[document["epoch"] :], rtol=1e-12)
        assert rest[0]["padding_share"] == pytest.approx(whole[document["epoch"]]["padding_share"])
        for name, tensor in end.model.state_dict().items():
            assert torch.equal(tensor, resumed.model.state_dict()[name])


def test_going_on_with_another_number_of_workers_keeps_the_curve(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=2, batch=16, checkpoint_steps=4)
    within: list[dict[str, Any]] = []
    whole, _, _ = fit(
        train_split, validation_split, config, on_step=lambda state: within.append(copy.deepcopy(state.document()))
    )
    for records in fit_together(train_split, validation_split, config, workers=3, document=within[0]):
        np.testing.assert_allclose(losses(records), losses(whole), rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_optimizer_learns_in_every_precision(
    train_split: TokenDataset, validation_split: TokenDataset, optimizer: str, precision: str
) -> None:
    slow = optimizer == "sgd"
    config = TrainingConfig(
        epochs=10 if slow else 6, batch=8, optimizer=optimizer, precision=precision, learning_rate=0.1 if slow else 0.01
    )
    records, _, _ = fit(train_split, validation_split, config)
    assert records[-1]["loss"] < records[0]["loss"]
    assert records[-1]["validation_auroc"] > 0.9


@pytest.mark.parametrize(("epochs", "moves"), [(-1, [False, False, False]), (1, [False, True, True]), (0, [True] * 3)])
def test_frozen_token_vectors_stay_until_they_are_thawed(
    train_split: TokenDataset, validation_split: TokenDataset, epochs: int, moves: list[bool]
) -> None:
    config = TrainingConfig(epochs=3, batch=16, freeze_embedding=epochs)
    first = start(train_split, config).model.get_parameter("embedding.weight").detach().clone()
    _, _, documents = fit(train_split, validation_split, config)
    weights = [first, *(document["model"]["embedding.weight"] for document in documents)]
    assert [not torch.equal(one, other) for one, other in itertools.pairwise(weights)] == moves


def test_balanced_weights_make_both_classes_count_alike(train_split: TokenDataset) -> None:
    rare = np.flatnonzero(train_split.labels == 1)[20:]
    labels = train_split.labels.copy()
    labels[rare] = 0
    weights = loop._class_weights(replace(train_split, labels=labels), TrainingConfig(class_weights="balanced"))
    counts = torch.tensor([140.0, 20.0])
    assert (weights * counts).tolist() == pytest.approx([80, 80])
