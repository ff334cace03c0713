from __future__ import annotations

import pytest
import torch
from torch import nn

from training.config import TrainingConfig
from training.engine.state import State, start

CRITERION = "validation_auroc"


def state_of(weight: float = 0.0) -> State:
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, weight)
    return start(model, TrainingConfig())


def record(epoch: int, auroc: float) -> dict[str, float]:
    return {"epoch": epoch, "validation_auroc": auroc}


def test_the_names_in_a_checkpoint_are_those_of_earlier_versions_and_that_of_the_masks() -> None:
    document = state_of().document()
    assert set(document) == {
        "model",
        "optimizer",
        "precision",
        "epoch",
        "step",
        "so_far",
        "best",
        "best_record",
        "records",
        "dropout_by_row",
    }
    assert document["so_far"] == {"loss": 0.0, "padded": 0.0, "seconds": 0.0, "waited": 0.0}


def test_a_restored_state_is_the_saved_one() -> None:
    state = state_of(3.0)
    state.finish_epoch(record(1, 0.8), CRITERION)
    state.step = 4
    state.add(loss=1.5, padded=10)
    restored = state_of()
    restored.restore(state.document())
    assert restored.model.weight.item() == 3.0
    assert (restored.epoch, restored.step) == (1, 4)
    assert restored.epoch_sums == {"loss": 1.5, "padded": 10.0, "seconds": 0.0, "waited": 0.0}
    assert restored.best_record == record(1, 0.8)
    assert restored.records == [record(1, 0.8)]


def test_the_best_weights_are_those_of_the_highest_auroc_and_the_earliest_of_equals() -> None:
    state = state_of()
    for epoch, auroc in enumerate([0.7, 0.9, 0.9, 0.8], start=1):
        nn.init.constant_(state.model.weight, epoch)
        state.finish_epoch(record(epoch, auroc), CRITERION)
    assert state.best_record["epoch"] == 2
    assert state.best["weight"].item() == 2


def test_the_best_weights_do_not_change_with_the_model() -> None:
    state = state_of(1.0)
    state.finish_epoch(record(1, 0.7), CRITERION)
    with torch.no_grad():
        state.model.weight.fill_(5.0)
    assert state.best["weight"].item() == 1.0


def test_an_epoch_begins_with_no_steps_and_no_sums() -> None:
    state = state_of()
    state.step = 7
    state.add(loss=1.0)
    state.finish_epoch(record(1, 0.7), CRITERION)
    assert (state.epoch, state.step, state.epoch_sums["loss"]) == (1, 0, 0.0)


@pytest.mark.parametrize(("patience", "expected"), [(0, False), (1, True), (2, True), (3, False)])
def test_patience_counts_the_epochs_since_the_best(patience: int, expected: bool) -> None:
    state = state_of()
    assert not state.out_of_patience(patience)
    for epoch, auroc in enumerate([0.7, 0.9, 0.8, 0.8], start=1):
        state.finish_epoch(record(epoch, auroc), CRITERION)
    assert state.out_of_patience(patience) is expected
