from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hypothesis_profiles import examples
from tests.training.structure.synthetic import SMALL
from training import structure
from training.config import ModelConfig, TrainingConfig
from training.memory.formula import Work, estimate

KINDS = ("lstm", "gru", "transformer", "cnn")
WORK = Work(4, 9_000, task="structure")


@pytest.mark.parametrize("utr", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changed", [{}, {"base_layers": 0, "output_layers": 0, "layers": 3}, {"stem_width": 15}], ids=str
)
def test_weights_are_those_of_the_network(kind: str, changed: dict[str, Any], utr: bool) -> None:
    config = ModelConfig.model_validate(SMALL.model_dump() | changed | {"kind": kind})
    weights = sum(parameter.numel() for parameter in structure.make(config, 67, utr=utr).parameters())
    assert estimate(config, TrainingConfig(), 67, WORK).parameters == 4 * weights


configurations = st.builds(
    ModelConfig,
    kind=st.sampled_from(KINDS),
    embedding=st.integers(4, 64),
    hidden=st.sampled_from([16, 64]),
    layers=st.integers(1, 3),
    window=st.sampled_from([0, 50]),
    stem=st.sampled_from([32, 128]),
    stem_stride=st.sampled_from([3, 9]),
    dropout=st.sampled_from([0.0, 0.1]),
    base_channels=st.sampled_from([8, 32, 64]),
    base_layers=st.integers(0, 4),
    output_layers=st.integers(0, 2),
)


@examples(100)
@given(configurations, st.integers(2, 32), st.integers(500, 30_000), st.sampled_from(["cpu", "cuda"]))
def test_more_windows_and_longer_ones_take_more(model: ModelConfig, rows: int, bases: int, device: Any) -> None:
    work = Work(rows, bases, device, task="structure")
    # As for recognition: small tensors stay in a CPU's heap when they are freed.
    peak = estimate(model, TrainingConfig(), 1027, work).peak - (8 * 128 * 2**10 if device == "cpu" else 0)
    assert peak <= estimate(model, TrainingConfig(), 1027, replace(work, rows=2 * rows)).peak * 1.001
    assert peak <= estimate(model, TrainingConfig(), 1027, replace(work, tokens=2 * bases)).peak * 1.001


def test_half_precision_takes_less_and_a_gradient_of_an_earlier_batch_more() -> None:
    full = estimate(SMALL, TrainingConfig(), 67, WORK)
    assert estimate(SMALL, TrainingConfig(precision="bf16"), 67, WORK).peak < full.peak
    assert estimate(SMALL, TrainingConfig(), 67, replace(WORK, accumulates=True)).peak >= full.peak
