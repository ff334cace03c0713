from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import metrics
from training.evaluation.recognition.thresholds import Change, sweep

pairs = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])), min_size=1, max_size=30)


@given(pairs, st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.99, 1.0, 1.5]), min_size=1, max_size=5))
def test_figures_at_each_threshold_are_those_of_scikit_learn(
    rows: list[tuple[int, float]], thresholds: list[float]
) -> None:
    labels, scores = np.array([label for label, _ in rows]), np.array([score for _, score in rows])
    swept = sweep(labels, scores, thresholds)
    for number, threshold in enumerate(thresholds):
        expected = metrics.binary_metrics(labels, scores, threshold)
        assert swept.called[number] == (scores >= threshold).sum()
        for name in ("precision", "recall", "f1", "mcc"):
            assert getattr(swept, name)[number] == pytest.approx(expected[name])


def test_the_interval_of_a_difference_is_that_of_newcombes_example() -> None:
    # Newcombe 1998, table II, comparison (a): 56 of 70 less 48 of 80, method 10.
    assert metrics.difference_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_a_small_change_is_not_clear_however_sure_it_is() -> None:
    assert not Change(0.015, (0.014, 0.016)).is_clear
    assert Change(-0.05, (-0.07, -0.03)).is_clear
    assert not Change(0.2, (-0.1, 0.5)).is_clear
