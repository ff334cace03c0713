from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from tuning.search.halving import SuccessiveHalving


class RunningTrial:
    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from([1, 1, 1, 2, 20]),
        st.sampled_from([math.nan, 0.0, 0.5]) | st.floats(0, 1),
    ),
    max_size=60,
)


@given(st.integers(1, 5), st.integers(2, 5), STEPS)
def test_trials_are_stopped_as_by_asha_of_ray_tune(
    grace_period: int, reduction_factor: int, steps: list[tuple[int, int, float]]
) -> None:
    halving = SuccessiveHalving(grace_period, reduction_factor)
    asha = ASHAScheduler("epoch", "auroc", "max", 10**6, grace_period, reduction_factor)
    trials = [RunningTrial(str(number)) for number in range(6)]
    for trial in trials:
        asha.on_trial_add(None, trial)
    epochs = [0] * len(trials)
    for number, more, value in steps:
        epochs[number] += more
        result = {"epoch": epochs[number], "auroc": value}
        is_stopped = asha.on_trial_result(None, trials[number], result) == TrialScheduler.STOP
        assert halving.record(str(number), epochs[number], value) == is_stopped


def test_the_first_trial_at_a_rung_continues_and_a_worse_one_is_behind() -> None:
    halving = SuccessiveHalving(1, 3)
    assert not halving.record("first", 1, 0.1)
    assert halving.record("worse", 1, 0.05)
    assert not halving.record("better", 1, 0.2)


def test_a_trial_is_compared_at_rungs_only() -> None:
    halving = SuccessiveHalving(2, 3)
    for number in range(3):
        assert not halving.record(f"good-{number}", 1, 0.9)
        halving.record(f"good-{number}", 6, 0.9)
    assert [halving.record("bad", epoch, 0.1) for epoch in range(1, 8)] == [
        False,
        False,
        False,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("epoch", [1, 9, 10])
def test_a_metric_that_is_not_a_number_is_never_behind(epoch: int) -> None:
    halving = SuccessiveHalving(1, 3)
    halving.record("first", epoch, 0.9)
    assert not halving.record("second", epoch, math.nan)
