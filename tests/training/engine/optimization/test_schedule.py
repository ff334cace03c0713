from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import TrainingConfig
from training.engine.optimization.schedule import learning_rate

STEPS = 100


def rates(**values: object) -> list[float]:
    config = TrainingConfig.model_validate({"epochs": 4, "learning_rate": 0.01, "warmup": 0.1, **values})
    return [learning_rate(step, STEPS, config) for step in range(4 * STEPS)]


@pytest.mark.parametrize("schedule", ["cosine", "exponential", "constant"])
def test_the_rate_rises_over_the_warm_up_and_never_after(schedule: str) -> None:
    learning_rates = rates(schedule=schedule, initial_rate=0.001)
    assert learning_rates[0] > 0.001
    assert all(rate < following for rate, following in itertools.pairwise(learning_rates[:40]))
    assert all(rate >= following for rate, following in itertools.pairwise(learning_rates[39:]))
    assert max(learning_rates) == pytest.approx(0.01)


def test_cosine_falls_to_a_hundredth() -> None:
    assert rates()[-1] == pytest.approx(0.0001, rel=0.05)


def test_exponential_falls_by_gamma_an_epoch() -> None:
    learning_rates = rates(schedule="exponential", gamma=0.5)
    assert learning_rates[240] / learning_rates[140] == pytest.approx(0.5)


def test_constant_stays() -> None:
    assert set(rates(schedule="constant")[40:]) == {0.01}


@given(
    st.integers(1, 20), st.integers(1, 50), st.floats(0, 0.99), st.sampled_from(["cosine", "exponential", "constant"])
)
def test_every_step_has_a_rate_above_nothing(epochs: int, steps: int, warmup: float, schedule: str) -> None:
    config = TrainingConfig.model_validate({"epochs": epochs, "warmup": warmup, "schedule": schedule})
    assert all(
        0 < learning_rate(step, steps, config) <= config.learning_rate * 1.000001 for step in range(epochs * steps)
    )
