from __future__ import annotations

import copy
import itertools
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import TrainingError
from tests.training.engine.fitting import CPU, Watcher, fit, fit_together, losses, start
from training.config import TrainingConfig
from training.engine import loop
from training.engine.collective import Alone


class Uninterrupted(NamedTuple):
    """A run of two epochs of ten steps by one worker, with which others are compared.

    Attributes:
        records: of both epochs.
        model: the weights after the last.
        within: states after the fourth and eighth step of each epoch.
    """

    records: list[loop.Record]
    model: dict[str, torch.Tensor]
    within: list[dict[str, Any]]


TWO_EPOCHS = TrainingConfig(epochs=2, global_batch_size=16, checkpoint_steps=4)


@pytest.fixture(scope="module")
def uninterrupted(train_split: TokenDataset, validation_split: TokenDataset) -> Uninterrupted:
    within: list[dict[str, Any]] = []
    records, end, _ = fit(
        train_split,
        validation_split,
        TWO_EPOCHS,
        on_checkpoint=lambda state: within.append(copy.deepcopy(state.document())),
    )
    return Uninterrupted(records, end.model.state_dict(), within)


@pytest.mark.parametrize("workers", [2, 3])
def test_the_curve_does_not_depend_on_the_number_of_workers(
    train_split: TokenDataset, validation_split: TokenDataset, uninterrupted: Uninterrupted, workers: int
) -> None:
    config = TWO_EPOCHS.model_copy(update={"token_budget": 512})
    for state in fit_together(train_split, validation_split, config, workers):
        np.testing.assert_allclose(losses(state.records), losses(uninterrupted.records), rtol=1e-5)


def test_a_worker_without_a_row_of_a_step_still_takes_part(few: tuple[TokenDataset, TokenDataset]) -> None:
    config = TrainingConfig(epochs=1, global_batch_size=2)
    alone, _, _ = fit(*few, config)
    for state in fit_together(*few, config, workers=3):
        np.testing.assert_allclose(losses(state.records), losses(alone), rtol=1e-5)


def test_the_curve_does_not_depend_on_the_token_budget(few: tuple[TokenDataset, TokenDataset]) -> None:
    curves = [
        losses(fit(*few, TrainingConfig(epochs=2, global_batch_size=8, token_budget=budget))[0])
        for budget in (1, 150, 65_536)
    ]
    np.testing.assert_allclose(curves[0], curves[2], rtol=1e-5)
    np.testing.assert_allclose(curves[1], curves[2], rtol=1e-5)


def test_resuming_from_any_epoch_equals_never_having_stopped(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=3, global_batch_size=16)
    uninterrupted, end, documents = fit(train_split, validation_split, config, dropout=0.3)
    for epoch, document in enumerate(documents, start=1):
        rest, resumed, _ = fit(train_split, validation_split, config, dropout=0.3, document=document)
        assert [record["loss"] for record in rest] == [record["loss"] for record in uninterrupted[epoch:]]
        assert resumed.best_record["epoch"] == end.best_record["epoch"]
        for name, tensor in end.model.state_dict().items():
            assert torch.equal(tensor, resumed.model.state_dict()[name])
        for name, tensor in end.best.items():
            assert torch.equal(tensor, resumed.best[name])


def test_every_checkpoint_holds_the_records_of_all_its_epochs(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=3, global_batch_size=16)
    records, _, documents = fit(train_split, validation_split, config)
    assert [document["records"] for document in documents] == [records[:1], records[:2], records]
    _, resumed, _ = fit(train_split, validation_split, config, document=documents[0])
    assert resumed.records[0] == records[0]
    assert [record["epoch"] for record in resumed.records] == [1, 2, 3]


Run = tuple[list[loop.Record], loop.State, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def learned(train_split: TokenDataset, validation_split: TokenDataset) -> Run:
    """A run that has found the answer and stopped: records, state and the documents of its epochs."""
    return fit(
        train_split,
        validation_split,
        TrainingConfig(epochs=30, global_batch_size=8, learning_rate=0.01, patience=2),
    )


def test_the_loop_learns_and_keeps_the_earliest_epoch_of_highest_auroc(learned: Run) -> None:
    records, state, documents = learned
    scores = [record["validation_auroc"] for record in records]
    assert max(scores) > 0.95
    assert records[-1]["loss"] < records[0]["loss"]
    best = int(np.argmax(scores))
    assert state.best_record["epoch"] == best + 1
    for name, tensor in documents[best]["model"].items():
        assert torch.equal(state.best[name], tensor)


def test_training_stops_when_patience_runs_out(learned: Run) -> None:
    records, state, _ = learned
    assert len(records) == state.best_record["epoch"] + 2 < 30


def test_a_loss_that_is_not_a_number_is_an_error_with_a_fix(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=16)
    state = start(train_split, config)
    state.model.head.bias.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="learning_rate"):
        loop.fit(state, train_split, validation_split, config, Alone(), CPU)


def test_weights_spoilt_by_the_last_step_of_an_epoch_are_an_error_with_a_fix(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=1, global_batch_size=160)
    state = start(train_split, config)
    state.optimizer.register_step_post_hook(lambda *_: state.model.head.bias.data.fill_(float("nan")))
    with pytest.raises(TrainingError, match="learning_rate"):
        loop.fit(state, train_split, validation_split, config, Alone(), CPU)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_resuming_from_any_step_equals_never_having_stopped(
    few: tuple[TokenDataset, TokenDataset], precision: str
) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=4, checkpoint_steps=3, precision=precision)
    within: list[dict[str, Any]] = []

    def keep(state: loop.State) -> None:
        within.append(copy.deepcopy(state.document()))

    uninterrupted, end, _ = fit(*few, config, dropout=0.3, on_checkpoint=keep)
    assert [(document["epoch"], document["step"]) for document in within] == [
        (0, 3),
        (0, 6),
        (0, 9),
        (1, 3),
        (1, 6),
        (1, 9),
    ]
    for document in within[1::3]:
        rest, resumed, _ = fit(*few, config, dropout=0.3, document=copy.deepcopy(document))
        np.testing.assert_allclose(losses(rest), losses(uninterrupted)[document["epoch"] :], rtol=1e-12)
        assert rest[0]["padding_share"] == pytest.approx(uninterrupted[document["epoch"]]["padding_share"])
        for name, tensor in end.model.state_dict().items():
            assert torch.equal(tensor, resumed.model.state_dict()[name])


def test_resuming_with_another_number_of_workers_gives_the_same_curve(
    train_split: TokenDataset, validation_split: TokenDataset, uninterrupted: Uninterrupted
) -> None:
    for state in fit_together(train_split, validation_split, TWO_EPOCHS, workers=3, document=uninterrupted.within[0]):
        np.testing.assert_allclose(losses(state.records), losses(uninterrupted.records), rtol=1e-5)


# On a CPU bf16 takes several times as long, and what an optimizer is given is fp32 all the same. `learned` has AdamW.
@pytest.mark.parametrize(
    ("optimizer", "precision", "epochs", "rate"),
    [
        ("adam", "fp32", 4, 0.01),
        ("sgd", "fp32", 6, 0.2),
        ("adamw", "bf16", 2, 0.01),
        pytest.param("adam", "bf16", 6, 0.01, marks=pytest.mark.full),
        pytest.param("sgd", "bf16", 10, 0.1, marks=pytest.mark.full),
    ],
)
def test_every_optimizer_learns_in_every_precision(
    train_split: TokenDataset, validation_split: TokenDataset, optimizer: str, precision: str, epochs: int, rate: float
) -> None:
    config = TrainingConfig.model_validate(
        {
            "epochs": epochs,
            "global_batch_size": 8,
            "optimizer": optimizer,
            "precision": precision,
            "learning_rate": rate,
            "weight_decay": 0.0,
        }
    )
    records, _, _ = fit(train_split, validation_split, config)
    assert records[-1]["loss"] < records[0]["loss"]
    assert records[-1]["validation_auroc"] > 0.9


@pytest.mark.parametrize(("epochs", "moves"), [(-1, [False, False, False]), (1, [False, True, True]), (0, [True] * 3)])
def test_frozen_token_vectors_stay_until_they_are_thawed(
    train_split: TokenDataset, validation_split: TokenDataset, epochs: int, moves: list[bool]
) -> None:
    config = TrainingConfig(epochs=3, global_batch_size=16, freeze_embedding=epochs)
    first = start(train_split, config).model.get_parameter("embedding.weight").detach().clone()
    _, _, documents = fit(train_split, validation_split, config)
    weights = [first, *(document["model"]["embedding.weight"] for document in documents)]
    assert [not torch.equal(weight, following) for weight, following in itertools.pairwise(weights)] == moves


def step_losses(train: TokenDataset, validation: TokenDataset, config: TrainingConfig, workers: int) -> np.ndarray:
    watchers = [Watcher() for _ in range(workers)]
    fit_together(train, validation, config, workers, observers=watchers)
    curves = [[figures.loss for figures in watcher.figures] for watcher in watchers]
    assert all(curve == curves[0] for curve in curves)
    return np.array(curves[0])


def test_fifty_steps_have_the_same_loss_whatever_the_workers_and_the_budget(
    few: tuple[TokenDataset, TokenDataset],
) -> None:
    config = TrainingConfig(epochs=5, global_batch_size=4)
    expected = step_losses(*few, config, workers=1)
    assert len(expected) >= 50
    # A step of one of the workers has two batches, of the others one.
    budgeted = config.model_copy(update={"token_budget": 1})
    np.testing.assert_allclose(step_losses(*few, budgeted, workers=3), expected, rtol=1e-4)


def test_one_worker_that_wants_to_stop_stops_all_after_the_same_step_and_nothing_is_lost(
    train_split: TokenDataset, validation_split: TokenDataset, uninterrupted: Uninterrupted
) -> None:
    watchers = [Watcher(), Watcher(stop_at=13), Watcher()]
    states = fit_together(train_split, validation_split, TWO_EPOCHS, 3, observers=watchers, finish=False)
    assert [(state.epoch, state.step) for state in states] == [(1, 3)] * 3
    _, resumed, _ = fit(train_split, validation_split, TWO_EPOCHS, document=states[2].document())
    np.testing.assert_allclose(losses(resumed.records), losses(uninterrupted.records), rtol=1e-5)
    for name, tensor in uninterrupted.model.items():
        torch.testing.assert_close(resumed.model.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)


def test_steps_report_their_tokens_padding_and_rate(train_split: TokenDataset, validation_split: TokenDataset) -> None:
    watcher = Watcher()
    config = TrainingConfig(epochs=1, global_batch_size=16)
    state = start(train_split, config)
    loop.fit(state, train_split, validation_split, config, Alone(), CPU, watcher)
    assert [figures.step for figures in watcher.figures] == list(range(1, 11))
    assert sum(figures.tokens for figures in watcher.figures) == len(train_split.tokens)
    assert all(figures.padded >= figures.tokens for figures in watcher.figures)
    assert watcher.figures[-1].learning_rate == state.records[0]["learning_rate"]
    assert np.mean([figures.loss for figures in watcher.figures]) == pytest.approx(state.records[0]["loss"])


def test_the_loop_of_the_docs_trains_without_ray(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(
        r"```python\n(.*?)```", Path(__file__).parents[3].joinpath("docs/train.md").read_text(), re.DOTALL
    )
    (tmp_path / "data").symlink_to(dataset)
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs/train.md", "exec"), {})
    assert 0.5 < float(capsys.readouterr().out) <= 1
