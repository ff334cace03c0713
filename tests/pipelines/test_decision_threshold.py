"""Thresholds against every threshold that there is, and their standard errors against resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import decision_threshold, metrics
from tests.hypothesis_profiles import examples

cases = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=25).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def mcc(labels: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    return metrics.metrics_of_calls(labels, scores >= threshold)["mcc"]


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    return labels, scores


def noisy(rows: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that are right more often than not, and those too high by a shift of their log-odds."""
    draw = np.random.default_rng(rows)
    labels = draw.integers(0, 2, rows)
    return labels, 1 / (1 + np.exp(-(2 * labels - 1 + shift + 1.5 * draw.normal(size=rows))))


@given(cases)
def test_the_threshold_of_highest_mcc_is_as_good_as_any(rows: list[tuple[int, int]]) -> None:
    labels, scores = columns(rows)
    chosen = mcc(labels, scores, decision_threshold.of_highest_mcc(labels, scores))
    assert chosen == pytest.approx(max(0.0, *(mcc(labels, scores, level / 2) for level in range(14))))


@given(cases, st.integers(0, 12))
def test_the_nearest_threshold_is_never_further_away_than_the_highest(rows: list[tuple[int, int]], half: int) -> None:
    labels, scores = columns(rows)
    nearest = decision_threshold.nearest_to(half / 2, labels, scores)
    assert abs(nearest - half / 2) <= abs(decision_threshold.of_highest_mcc(labels, scores) - half / 2)


@given(st.integers(20, 400))
@examples(8)
def test_standard_errors_are_those_of_resampled_rows(rows: int) -> None:
    labels, scores = noisy(rows)
    candidates = decision_threshold._Candidates.of(labels, scores)
    best = int(np.argmax(candidates.mcc()))
    draw, differences = np.random.default_rng(0), []
    middle = slice(rows // 5, rows - rows // 5)
    for _ in range(300):
        drawn = draw.integers(0, rows, rows)
        resampled = [mcc(labels[drawn], scores[drawn], value) for value in candidates.thresholds[middle][:: rows // 5]]
        differences.append(mcc(labels[drawn], scores[drawn], candidates.thresholds[best]) - np.array(resampled))
    expected = np.std(differences, axis=0)
    errors = candidates.errors(best)[middle][:: rows // 5]
    # The delta method is of the first order, and 300 samples have an error of 4 %.
    np.testing.assert_allclose(errors, expected, rtol=0.4, atol=0.02)


def test_few_rows_hardly_move_the_threshold_and_many_do() -> None:
    few, many = (decision_threshold.nearest_to(0.5, *noisy(rows, shift=1.0)) for rows in (40, 20_000))
    assert 0.5 <= few < 0.65
    assert many == pytest.approx(1 / (1 + np.exp(-1)), abs=0.05)


def test_what_is_within_an_error_of_the_best_is_about_as_good() -> None:
    labels, scores = noisy(2_000)
    nearest = decision_threshold.nearest_to(0.5, labels, scores)
    best = decision_threshold.of_highest_mcc(labels, scores)
    assert 0 <= mcc(labels, scores, best) - mcc(labels, scores, nearest) < 0.03


def test_without_two_classes_the_threshold_is_the_neutral_one() -> None:
    assert decision_threshold.nearest_to(decision_threshold.LOG_ODDS, [1, 1], [2.0, 3.0]) == 0
    assert decision_threshold.of_highest_mcc([1, 1], [0.1, 0.2]) == 0.5


def test_separate_classes_are_separated() -> None:
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    assert decision_threshold.of_highest_mcc(labels, scores) == pytest.approx(0.25)
    assert decision_threshold.nearest_to(0.9, labels, scores) == pytest.approx(0.25)
    assert decision_threshold.nearest_to(0.28, labels, scores) == 0.28


def test_the_neutral_threshold_is_taken_if_it_calls_what_a_good_one_calls() -> None:
    assert decision_threshold.nearest_to(0.5, [0] * 50 + [1] * 50, [0.45] * 50 + [0.99] * 50) == 0.5
    assert decision_threshold.nearest_to(0.5, [0, 1], [0.01, 0.52]) == 0.5


def test_no_error_is_undefined_where_everything_has_one_score() -> None:
    value = decision_threshold.nearest_to(0.5, [0, 1, 1], [0.7, 0.7, 0.7])
    assert math.isfinite(value)
