from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hypothesis_profiles import examples
from training import models
from training.config import ModelConfig, TrainingConfig
from training.memory.formula import Estimate, Work, estimate, evaluation
from training.memory.probe import probe

FP32 = TrainingConfig()
KINDS = ("lstm", "gru", "transformer", "cnn")
WORK = Work(32, 1000)


@pytest.mark.parametrize("pooling", ["mean", "mean+max", "attention"])
@pytest.mark.parametrize("stem", [0, 24])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_those_of_the_model(kind: str, stem: int, pooling: str) -> None:
    config = ModelConfig(kind=kind, embedding=12, hidden=16, layers=2, heads=2, stem=stem, pooling=pooling)
    weights = sum(parameter.numel() for parameter in models.make(config, 70).parameters())
    assert estimate(config, FP32, 70, WORK).parameters == 4 * weights


def test_an_ensemble_has_the_weights_of_its_members_and_saves_what_each_saves() -> None:
    one, three = (estimate(ModelConfig(ensemble=members), FP32, 70, Work(256, 1000)) for members in (1, 3))
    assert three.parameters == 3 * one.parameters
    assert three.activations == pytest.approx(3 * one.activations, rel=0.1)


def test_frozen_members_are_read_one_after_another_and_save_little() -> None:
    frozen = TrainingConfig(freeze_body=-1)
    one, three = (estimate(ModelConfig(ensemble=members), frozen, 70, Work(256, 1000)) for members in (1, 3))
    assert activations(three) < 1.5 * activations(one)


def test_an_ensemble_is_evaluated_in_the_memory_of_one_member_and_the_weights_of_all() -> None:
    one, three = (evaluation(ModelConfig(ensemble=members), FP32, 70, Work(256, 1000)) for members in (1, 3))
    weights = estimate(ModelConfig(), FP32, 70, WORK).parameters
    assert three == pytest.approx(one + 2 * weights, rel=0.01)


@pytest.mark.parametrize(
    ("changed", "bytes_a_weight"),
    [({"optimizer": "adamw"}, 8), ({"optimizer": "sgd"}, 4), ({"optimizer": "sgd", "momentum": 0}, 0)],
)
def test_an_optimizer_keeps_its_numbers_for_every_weight(changed: dict[str, Any], bytes_a_weight: int) -> None:
    estimated = estimate(ModelConfig(), TrainingConfig(**changed), 70, WORK)
    assert estimated.optimizer == bytes_a_weight * estimated.parameters / 4


def test_frozen_token_vectors_have_neither_gradient_nor_state() -> None:
    model = ModelConfig(embedding=64)
    frozen = estimate(model, TrainingConfig(freeze_embedding=-1), 4099, WORK)
    assert frozen.parameters == estimate(model, FP32, 4099, WORK).parameters
    assert frozen.optimizer == 2 * (frozen.parameters - 4 * 64 * 4099)


def test_token_vectors_that_are_thawed_later_are_planned_as_trained() -> None:
    model = ModelConfig(embedding=64)
    later = estimate(model, TrainingConfig(freeze_embedding=2, epochs=6), 4099, WORK)
    assert later == estimate(model, TrainingConfig(epochs=6), 4099, WORK)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", ["recognise", "structure"])
def test_a_body_frozen_in_all_epochs_needs_less_and_one_that_is_thawed_as_much(kind: str, task: str) -> None:
    model = ModelConfig(kind=kind, layers=2, hidden=32, stem_stride=9)
    work = Work(4, 5000, task=task)
    whole = estimate(model, TrainingConfig(epochs=6), 67, work)
    for epochs in (-1, 6):
        frozen = estimate(model, TrainingConfig(epochs=6, freeze_body=epochs), 67, work)
        assert frozen.parameters == whole.parameters
        assert frozen.peak < whole.peak
    assert estimate(model, TrainingConfig(epochs=6, freeze_body=5), 67, work) == whole


configurations = st.builds(
    ModelConfig,
    kind=st.sampled_from(KINDS),
    embedding=st.integers(4, 128),
    hidden=st.sampled_from([16, 64, 256]),
    layers=st.integers(1, 4),
    bidirectional=st.booleans(),
    window=st.sampled_from([0, 16, 100]),
    stem=st.sampled_from([0, 48]),
    stem_stride=st.integers(1, 8),
    pooling=st.sampled_from(["mean", "max", "last", "mean+max", "attention"]),
    dropout=st.sampled_from([0.0, 0.1]),
)


def activations(estimated: Estimate) -> float:
    return estimated.peak - estimated.process


@examples(200)
@given(configurations, st.integers(2, 200), st.integers(20, 20_000), st.sampled_from(["cpu", "cuda"]))
def test_more_rows_and_longer_ones_take_more(model: ModelConfig, rows: int, tokens: int, device: Any) -> None:
    work = Work(rows, tokens, device)
    # Small tensors stay in a CPU's heap when freed, and larger ones go back, so that some of these count once less.
    peak = estimate(model, FP32, 4099, work).peak - (8 * 128 * 2**10 if device == "cpu" else 0)
    assert peak <= estimate(model, FP32, 4099, replace(work, rows=2 * rows)).peak * 1.001
    assert peak <= estimate(model, FP32, 4099, replace(work, tokens=2 * tokens)).peak * 1.001


@examples(100)
@given(configurations, st.integers(2, 64), st.integers(100, 5_000))
def test_no_part_is_negative_and_gradients_of_an_earlier_batch_add(model: ModelConfig, rows: int, tokens: int) -> None:
    once, again = (
        estimate(model, FP32, 4099, Work(rows, tokens, accumulates=accumulates)) for accumulates in (False, True)
    )
    parts = (once.process, once.parameters, once.optimizer, once.gradients, once.activations, once.temporary)
    assert min(parts) >= 0
    assert again.peak >= once.peak


def test_several_workers_need_a_flat_copy_of_all_gradients() -> None:
    model = ModelConfig(hidden=1024, layers=4)
    alone, shared = (estimate(model, FP32, 67, Work(1, 40, "cuda", workers=workers)) for workers in (1, 8))
    assert shared.peak >= alone.peak


def test_a_window_takes_less_than_the_square_of_the_positions() -> None:
    model = ModelConfig(kind="transformer", window=32, stem=0)
    short, long = (activations(estimate(model, FP32, 67, Work(8, n, "cuda"))) for n in (4_000, 16_000))
    assert long < 4.2 * short


# Shapes of every kind that the constants of the formula do not come from. A probe starts in seven CPU seconds.
MEASURED: list[tuple[dict[str, Any], dict[str, Any], Work]] = [
    ({"kind": "cnn", "hidden": 48, "layers": 2, "strands": "averaged"}, {"ema_decay": 0.99}, Work(16, 1_500)),
    ({"kind": "lstm", "hidden": 40, "stem": 80, "stem_stride": 9}, {}, Work(5, 8_000, task="structure")),
]
MEASURED_IN_FULL: list[tuple[dict[str, Any], dict[str, Any], Work]] = [
    ({"kind": "gru", "hidden": 48, "pooling": "attention", "stem_stride": 4}, {"optimizer": "sgd"}, Work(40, 2_400)),
    ({"kind": "transformer", "hidden": 80, "heads": 5, "layers": 2, "dropout": 0.0}, {}, Work(30, 1_100)),
    ({"kind": "lstm", "hidden": 96, "layers": 2, "embedding": 40, "stem": 0}, {}, Work(48, 900)),
    ({"kind": "transformer", "hidden": 64, "window": 40, "stem": 0}, {"precision": "bf16"}, Work(24, 700)),
    ({"kind": "cnn", "hidden": 72, "layers": 3}, {}, Work(20, 2_100)),
    ({"kind": "lstm", "hidden": 64, "strands": "equivariant"}, {}, Work(64, 900)),
    ({"kind": "lstm", "hidden": 64, "ensemble": 3, "strands": "averaged"}, {"ema_decay": 0.99}, Work(64, 900)),
    ({"kind": "transformer", "hidden": 64, "ensemble": 2}, {"precision": "bf16"}, Work(30, 900)),
    ({"kind": "cnn", "hidden": 64, "ensemble": 3}, {}, Work(64, 1_500)),
    ({"kind": "gru", "hidden": 48, "stem_stride": 3, "strands": "equivariant"}, {}, Work(40, 2_400)),
    ({"kind": "cnn", "hidden": 64, "layers": 3, "stem": 0, "strands": "equivariant"}, {}, Work(24, 1_500)),
    ({"kind": "transformer", "hidden": 64, "layers": 2, "strands": "equivariant"}, {}, Work(24, 1_100)),
]


@pytest.mark.parametrize(
    ("model", "training", "work"),
    [*MEASURED, *(pytest.param(*case, marks=pytest.mark.full) for case in MEASURED_IN_FULL)],
    ids=lambda value: getattr(value, "tokens", None),
)
def test_the_peak_of_a_fresh_process_is_within_a_tenth(
    model: dict[str, Any], training: dict[str, Any], work: Work
) -> None:
    config, optimisation = ModelConfig(**model), TrainingConfig(**training)
    measured = probe(config, optimisation, 1027, work)
    assert measured.fits
    predicted = estimate(config, optimisation, 1027, work, measured.imported)
    assert predicted.peak == pytest.approx(measured.peak, rel=0.1)
