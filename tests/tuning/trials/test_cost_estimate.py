"""How long a trial will take on CPUs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tuning.trial import Trial
from tuning.trials import cost_estimate

TRIAL = Trial(1, 1, "k", 0, {}, epochs=2)


def test_a_huge_model_on_two_cpus_takes_days() -> None:
    needed = cost_estimate.operations(weights=136_000_000, positions=2_000_000, epochs=10)
    assert needed == 6 * 136e6 * 2e6 * 10
    assert cost_estimate.seconds(needed, 2, None) > 7 * 24 * 3600 > cost_estimate.LONG_S


def test_trials_that_have_ended_come_before_the_rule() -> None:
    measured = cost_estimate.rate([(replace(TRIAL, seconds=seconds), 1e9) for seconds in (1.0, 10.0, 100.0)])
    assert measured == 1e8
    assert cost_estimate.seconds(1e10, 2, measured) == pytest.approx(100)
    assert cost_estimate.rate([]) is None
