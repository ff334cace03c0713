from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from training.scan.calls import Call, Thresholds, calls, stretches
from training.scan.grid import Grid
from training.scan.scores import NONE, SCALE

GRID = Grid(40, 10)


def stretches_by_hand(values: list[int], low: int, high: int) -> list[list[int]]:
    found: list[list[int]] = []
    first = None
    for place, value in enumerate([*values, -1]):
        if value >= low and first is None:
            first = place
        elif value < low and first is not None:
            if max(values[first:place]) >= high:
                found.append([first, place])
            first = None
    return found


@given(st.lists(st.integers(0, 10), max_size=60), st.integers(1, 10), st.integers(0, 9))
def test_a_stretch_stays_at_or_above_low_and_reaches_high(values: list[int], low: int, more: int) -> None:
    found = stretches(np.array(values, np.int64), low, low + more)
    assert found.tolist() == stretches_by_hand(values, low, low + more)


def scored(plus: list[float], minus: list[float]) -> np.ndarray:
    return np.rint(np.array([plus, minus]) * SCALE).astype(np.uint16)


def test_a_call_keeps_a_dip_and_leaves_out_what_never_convinces() -> None:
    scores = scored([0, 0.3, 0.9, 0.25, 0.8, 0.1, 0.4, 0.4, 0, 0], [0.0] * 10)
    assert calls(scores, 95, GRID, Thresholds()) == [Call(10, 50, "+", pytest.approx(0.5625), 0.9)]


def test_a_bin_is_called_on_the_strand_with_the_higher_score() -> None:
    found = calls(scored([0.9, 0.9, 0.3, 0.3], [0.3, 0.3, 0.9, 0.9]), 40, GRID, Thresholds())
    assert [(one.start, one.end, one.strand) for one in found] == [(0, 20, "+"), (20, 40, "-")]


def test_the_last_call_ends_with_the_sequence() -> None:
    assert calls(scored([0, 0.9], [0, 0]), 13, GRID, Thresholds())[0].end == 13


def test_bins_without_a_score_are_not_called() -> None:
    scores = scored([0.9, 0.9, 0.9], [0, 0, 0])
    scores[:, 1] = NONE
    assert [(one.start, one.end) for one in calls(scores, 30, GRID, Thresholds())] == [(0, 10), (20, 30)]


def test_calls_shorter_than_wanted_are_left_out() -> None:
    scores = scored([0.9, 0, 0.9, 0.9], [0, 0, 0, 0])
    assert [one.start for one in calls(scores, 40, GRID, Thresholds(shortest=15))] == [20]


@pytest.mark.parametrize(("high", "low"), [(0.2, 0.3), (1.1, 0.3), (0.5, 0), (float("nan"), 0.2)])
def test_thresholds_that_make_no_sense_are_refused(high: float, low: float) -> None:
    with pytest.raises(UsageError, match="not 0 < low <= high <= 1"):
        Thresholds(high, low)
