from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.engine.observer import PHASES
from training.profile.phases import (
    MAX_SHARES,
    MEANINGS,
    OTHER,
    Setting,
    StepTimes,
    bottleneck,
    seconds_by_phase,
    shares,
)

ALONE = Setting(device="cpu", workers=1, threads=1, used=1, precision="fp32", padding=0.02)
HEALTHY = {"data": 0.01, "copy": 0.0, "forward": 0.35, "backward": 0.55, "reduce": 0.0, "optimizer": 0.05, OTHER: 0.04}
times = st.floats(0, 10)
steps = st.lists(st.dictionaries(st.sampled_from(PHASES), times), min_size=1, max_size=5)


def with_share(name: str, share: float) -> dict[str, float]:
    """The healthy shares with one of them larger, at the cost of the backward pass."""
    return HEALTHY | {name: share, "backward": 0.55 + HEALTHY[name] - share}


@given(steps, times)
def test_phases_and_the_rest_add_up_to_the_time(phases_of_steps: list[dict[str, float]], rest: float) -> None:
    step_times = [StepTimes(sum(phases.values()) + rest, phases) for phases in phases_of_steps]
    seconds = seconds_by_phase(step_times)
    assert list(seconds) == [*PHASES, OTHER]
    assert sum(seconds.values()) == pytest.approx(sum(step.seconds for step in step_times))
    assert seconds[OTHER] == pytest.approx(rest * len(step_times), abs=1e-9)
    assert sum(shares(seconds).values()) == pytest.approx(1 if sum(seconds.values()) else 0)


def test_every_phase_has_a_meaning() -> None:
    assert set(MEANINGS) == {*PHASES, OTHER}


@pytest.mark.parametrize("name", sorted(MAX_SHARES))
def test_an_overhead_above_that_of_a_healthy_run_is_named_with_its_share_and_a_key_to_change(name: str) -> None:
    slowest = bottleneck(with_share(name, 0.32), replace(ALONE, workers=3))
    assert (slowest.name, slowest.share) == (name, 0.32)
    assert str(slowest).startswith(f"{name}: 32% of a step")
    assert "training." in slowest.advice


def test_the_largest_of_several_overheads_is_named() -> None:
    assert bottleneck(with_share("data", 0.2) | {"reduce": 0.3}, ALONE).name == "reduce"


def test_overheads_of_a_healthy_run_leave_the_work_itself() -> None:
    slowest = bottleneck(HEALTHY, ALONE)
    assert (slowest.name, slowest.share) == ("compute", pytest.approx(0.9))


def test_idle_cpus_are_offered_as_workers() -> None:
    advice = bottleneck(HEALTHY, replace(ALONE, workers=2, threads=4)).advice
    assert "uses 1 of its 4 CPUs: training.workers 8 use all" in advice
    assert "All CPUs are in use" in bottleneck(HEALTHY, replace(ALONE, threads=4, used=4)).advice


def test_a_busy_gpu_is_offered_half_precision_unless_it_has_it() -> None:
    on_gpu = replace(ALONE, device="cuda", busy=0.95)
    assert "bf16" in bottleneck(HEALTHY, on_gpu).advice
    assert "bf16" not in bottleneck(HEALTHY, replace(on_gpu, precision="bf16")).advice


def test_padding_costs_its_share_of_the_work() -> None:
    slowest = bottleneck(HEALTHY, replace(ALONE, padding=0.74))
    assert (slowest.name, slowest.share) == ("padding", pytest.approx(0.74 * 0.9))


def test_advice_about_padding_names_the_key_that_decides_on_lengths() -> None:
    padded = replace(ALONE, padding=0.74)
    assert "crop.length" in bottleneck(HEALTHY, padded).advice
    of_windows = bottleneck(HEALTHY, replace(padded, has_windows=True)).advice
    assert "window.length" in of_windows
    assert "crop.length" not in of_windows


def test_a_gpu_that_idles_while_no_phase_explains_it_is_sent_too_little_at_a_time() -> None:
    idle = replace(ALONE, device="cuda", busy=0.3)
    assert bottleneck(HEALTHY, idle).name == "launches"
    assert bottleneck(with_share("data", 0.5), idle).name == "data"


def test_cpus_that_other_processes_have_are_named_before_the_work_is_blamed() -> None:
    slowest = bottleneck(HEALTHY, replace(ALONE, queued=0.54))
    assert (slowest.name, slowest.share) == ("contention", 0.54)
    assert bottleneck(HEALTHY, replace(ALONE, queued=0.05)).name == "compute"
