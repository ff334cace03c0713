from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pipelines.metrics import wilson
from training.evaluation.calibration import calibration

pairs = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=60)


@given(pairs)
def test_bins_error_and_brier_score_are_those_of_a_plain_loop(given: list[tuple[int, float]]) -> None:
    labels, probabilities = [label for label, _ in given], [probability for _, probability in given]
    bins: dict[int, list[int]] = {}
    for row, probability in enumerate(probabilities):
        bins.setdefault(min(int(probability * 10), 9), []).append(row)
    found = calibration(labels, probabilities)
    error = 0.0
    assert len(found.bins) == len(bins)
    for one, place in zip(found.bins, sorted(bins), strict=True):
        here = bins[place]
        mean = sum(probabilities[row] for row in here) / len(here)
        share = sum(labels[row] for row in here) / len(here)
        assert (one.low, one.high, one.rows) == (place / 10, (place + 1) / 10, len(here))
        assert (one.mean, one.genes) == pytest.approx((mean, share))
        error += len(here) / len(given) * abs(mean - share)
    assert found.error == pytest.approx(error)
    assert found.brier == pytest.approx(sum((p - y) ** 2 for y, p in given) / len(given))


def test_probabilities_that_come_true_have_a_small_error_and_bold_ones_a_large_one() -> None:
    generator = np.random.default_rng(0)
    true = generator.random(20_000)
    labels = generator.random(20_000) < true
    assert calibration(labels, true).error < 0.01
    assert calibration(labels, (true > 0.5).astype(float)).error == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(("hits", "trials"), [(0, 7), (7, 7), (3, 10), (480, 1000)])
def test_the_interval_of_a_share_is_wilsons(hits: int, trials: int) -> None:
    wanted = binomtest(hits, trials).proportion_ci(method="wilson")
    assert wilson(hits, trials) == pytest.approx((wanted.low, wanted.high))


def test_nothing_is_known_without_a_trial() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
