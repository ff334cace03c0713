from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from tests.training.engine.fitting import fit, fit_together, losses
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine.optimization.weight_average import WeightAverage
from training.engine.scoring import probabilities

CONFIG = TrainingConfig(epochs=2, global_batch_size=16, ema_decay=0.9, reverse_complement=True)
SMALL = ModelConfig(embedding=4, hidden=4, stem=0, dropout=0.0)


def test_the_average_is_that_of_the_obvious_loop() -> None:
    model = models.make(SMALL, 67)
    average, weight = WeightAverage(model, 0.99), model.head.weight
    expected = weight.detach().clone().double()
    for step in range(1, 200):
        with torch.no_grad():
            weight.add_(0.1)
        average.add(step)
        decay = min(0.99, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight.detach().double()
    name = [name for name, _ in model.named_parameters()].index("head.weight")
    torch.testing.assert_close(average.values[name].double(), expected, rtol=1e-5, atol=1e-5)


def test_the_model_has_its_own_weights_again_after_an_error() -> None:
    model = models.make(SMALL, 67)
    average, before = WeightAverage(model, 0.9), model.head.weight.detach().clone()
    with torch.no_grad():
        model.head.weight.add_(1)

    def fail() -> None:
        with average.in_use():
            assert torch.equal(model.head.weight, before)
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert torch.equal(model.head.weight, before + 1)


def test_the_best_epoch_is_the_average_that_validation_was_scored_with(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    _, state, _ = fit(train_split, validation_split, CONFIG)
    weights = state.model.get_parameter("head.weight").detach().clone()
    state.model.load_state_dict(state.best)
    scores = probabilities(state.model, validation_split.tokens, validation_split.lengths, 65_536)
    loss = -np.log(np.where(validation_split.labels == 1, scores, 1 - scores)).mean()
    assert loss == pytest.approx(state.best_record["validation_loss"], rel=1e-5)
    assert not torch.equal(weights, state.best["head.weight"])


def test_resuming_with_random_strands_and_an_average_equals_never_having_stopped(
    train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    within: list[dict[str, Any]] = []
    config = CONFIG.model_copy(update={"checkpoint_steps": 4})
    uninterrupted, end, _ = fit(
        *(train_split, validation_split, config),
        on_checkpoint=lambda state: within.append(copy.deepcopy(state.document())),
    )
    for document in within[::2]:
        rest, resumed, _ = fit(train_split, validation_split, config, document=copy.deepcopy(document))
        assert losses(rest).tolist() == losses(uninterrupted)[document["epoch"] :].tolist()
        for name, tensor in end.best.items():
            assert torch.equal(tensor, resumed.best[name])


@pytest.mark.parametrize(("workers", "budget"), [(2, 65_536), (3, 100)])
def test_the_curve_does_not_depend_on_workers_or_budget(
    few: tuple[TokenDataset, TokenDataset], workers: int, budget: int
) -> None:
    config = CONFIG.model_copy(update={"global_batch_size": 8})
    alone, _, _ = fit(*few, config)
    for state in fit_together(*few, config.model_copy(update={"token_budget": budget}), workers):
        np.testing.assert_allclose(losses(state.records), losses(alone), rtol=1e-4)
