from __future__ import annotations

import pytest

from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine.optimization import optimizers

MODEL = models.make(ModelConfig(embedding=8, hidden=8, stem=8, layers=2), 67)


def test_without_layer_decay_all_weights_are_one_group_with_the_rate_of_the_step() -> None:
    optimizer = optimizers.make(MODEL, TrainingConfig())
    optimizers.set_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5]
    assert optimizers.FACTOR not in optimizer.param_groups[0]


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_rates_fall_by_the_decay_from_the_head_to_the_token_vectors(name: str) -> None:
    optimizer = optimizers.make(MODEL, TrainingConfig.model_validate({"optimizer": name, "layer_decay": 0.5}))
    optimizers.set_rate(optimizer, 1.0)
    # Head, two layers of the body, stem, token vectors.
    assert [group["lr"] for group in optimizer.param_groups] == [1, 0.5, 0.25, 0.125, 0.0625]
    assert optimizer.param_groups[0]["params"][0] is MODEL.head.weight
    assert optimizer.param_groups[-1]["params"][0] is MODEL.embedding.weight


def test_a_restored_optimizer_keeps_the_factor_of_each_layer() -> None:
    config = TrainingConfig(layer_decay=0.5)
    restored = optimizers.make(MODEL, config)
    restored.load_state_dict(optimizers.make(MODEL, config).state_dict())
    optimizers.set_rate(restored, 2.0)
    assert [group["lr"] for group in restored.param_groups] == [2, 1, 0.5, 0.25, 0.125]
