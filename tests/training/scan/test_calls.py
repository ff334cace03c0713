from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from training.scan.calls import Call, Thresholds, call_genes, hysteresis_runs
from training.scan.grid import Grid
from training.scan.scores import NO_SCORE, SCALE

GRID = Grid(40, 10)


def runs_by_hand(values: list[int], low: int, high: int) -> list[list[int]]:
    runs: list[list[int]] = []
    first = None
    for position, value in enumerate([*values, -1]):
        if value >= low and first is None:
            first = position
        elif value < low and first is not None:
            if max(values[first:position]) >= high:
                runs.append([first, position])
            first = None
    return runs


@given(st.lists(st.integers(0, 10), max_size=60), st.integers(1, 10), st.integers(0, 9))
def test_a_run_stays_at_or_above_low_and_reaches_high(values: list[int], low: int, more: int) -> None:
    runs = hysteresis_runs(np.array(values, np.int64), low, low + more)
    assert runs.tolist() == runs_by_hand(values, low, low + more)


def scored(plus: list[float], minus: list[float]) -> np.ndarray:
    return np.rint(np.array([plus, minus]) * SCALE).astype(np.uint16)


def test_a_call_keeps_a_dip_and_leaves_out_what_never_reaches_high() -> None:
    scores = scored([0, 0.3, 0.9, 0.25, 0.8, 0.1, 0.4, 0.4, 0, 0], [0.0] * 10)
    assert call_genes(scores, 95, GRID, Thresholds()) == [Call(10, 50, "+", pytest.approx(0.5625), 0.9)]


def test_a_bin_is_called_on_the_strand_with_the_higher_score() -> None:
    calls = call_genes(scored([0.9, 0.9, 0.3, 0.3], [0.3, 0.3, 0.9, 0.9]), 40, GRID, Thresholds())
    assert [(call.start, call.end, call.strand) for call in calls] == [(0, 20, "+"), (20, 40, "-")]


def test_a_tie_between_the_strands_is_called_on_both() -> None:
    calls = call_genes(scored([0.9, 0.6, 0.9], [0.9, 0.6, 0.3]), 30, GRID, Thresholds())
    assert [(call.start, call.end, call.strand, call.peak) for call in calls] == [(0, 20, "-", 0.9), (0, 30, "+", 0.9)]


def test_a_tie_does_not_break_a_call_in_two() -> None:
    calls = call_genes(scored([0.9, 0.4, 0.9], [0.1, 0.4, 0.1]), 30, GRID, Thresholds())
    assert [(call.start, call.end, call.strand) for call in calls] == [(0, 30, "+")]


def test_a_bin_with_a_score_on_one_strand_alone_is_called_there() -> None:
    scores = scored([0.9, 0], [0, 0.9])
    scores[1, 0] = scores[0, 1] = NO_SCORE
    calls = call_genes(scores, 20, GRID, Thresholds())
    assert [(call.start, call.end, call.strand) for call in calls] == [(0, 10, "+"), (10, 20, "-")]


def test_scores_equal_to_the_thresholds_make_a_call() -> None:
    thresholds = Thresholds(high=0.5, low=0.2)
    calls = call_genes(scored([0.2, 0.5, 0.2, 0.1999], [0.0] * 4), 40, GRID, thresholds)
    assert [(call.start, call.end) for call in calls] == [(0, 30)]
    assert call_genes(scored([0.2, 0.4999, 0.2], [0.0] * 3), 30, GRID, thresholds) == []


def test_a_call_of_exactly_the_minimum_length_is_kept() -> None:
    scores = scored([0.9, 0.9, 0], [0.0] * 3)
    assert [call.end for call in call_genes(scores, 30, GRID, Thresholds(shortest=20))] == [20]
    assert call_genes(scores, 30, GRID, Thresholds(shortest=21)) == []


def test_the_mean_weighs_a_short_last_bin_by_its_bases() -> None:
    (call,) = call_genes(scored([0.8, 0.4], [0.0] * 2), 12, GRID, Thresholds())
    assert call.mean == pytest.approx((10 * 0.8 + 2 * 0.4) / 12)


def test_the_last_call_ends_with_the_sequence() -> None:
    assert call_genes(scored([0, 0.9], [0, 0]), 13, GRID, Thresholds())[0].end == 13


def test_bins_without_a_score_are_not_called() -> None:
    scores = scored([0.9, 0.9, 0.9], [0, 0, 0])
    scores[:, 1] = NO_SCORE
    assert [(call.start, call.end) for call in call_genes(scores, 30, GRID, Thresholds())] == [(0, 10), (20, 30)]


def test_calls_below_the_minimum_length_are_left_out() -> None:
    scores = scored([0.9, 0, 0.9, 0.9], [0, 0, 0, 0])
    assert [call.start for call in call_genes(scores, 40, GRID, Thresholds(shortest=15))] == [20]


@pytest.mark.parametrize(("high", "low"), [(0.2, 0.3), (1.1, 0.3), (0.5, 0), (float("nan"), 0.2)])
def test_thresholds_out_of_order_or_range_are_refused(high: float, low: float) -> None:
    with pytest.raises(UsageError, match="not 0 < low <= high <= 1"):
        Thresholds(high, low)


def test_a_negative_minimum_length_is_refused() -> None:
    with pytest.raises(UsageError, match="--min-length -1: below 0"):
        Thresholds(shortest=-1)
