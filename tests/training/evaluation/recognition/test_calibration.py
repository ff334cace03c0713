from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.recognition.calibration import calibration

# Half of a 95 % interval, in standard deviations of a normal distribution.
Z = 1.959963984540054
pairs = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=60)


@given(pairs)
def test_bins_error_and_brier_score_are_those_of_a_plain_loop(drawn: list[tuple[int, float]]) -> None:
    labels, probabilities = [label for label, _ in drawn], [probability for _, probability in drawn]
    bins: dict[int, list[int]] = {}
    for row, probability in enumerate(probabilities):
        bins.setdefault(min(int(probability * 10), 9), []).append(row)
    calibrated = calibration(labels, probabilities)
    error = 0.0
    assert len(calibrated.bins) == len(bins)
    for bin_, number in zip(calibrated.bins, sorted(bins), strict=True):
        rows = bins[number]
        mean = sum(probabilities[row] for row in rows) / len(rows)
        share = sum(labels[row] for row in rows) / len(rows)
        assert (bin_.low, bin_.high, bin_.rows) == (number / 10, (number + 1) / 10, len(rows))
        assert (bin_.mean, bin_.genes) == pytest.approx((mean, share))
        error += len(rows) / len(drawn) * abs(mean - share)
    assert calibrated.error == pytest.approx(error)
    assert calibrated.brier == pytest.approx(sum((p - y) ** 2 for y, p in drawn) / len(drawn))


def test_probabilities_that_come_true_have_a_small_error_and_bold_ones_a_large_one() -> None:
    generator = np.random.default_rng(0)
    true = generator.random(20_000)
    labels = generator.random(20_000) < true
    assert calibration(labels, true).error < 0.01
    assert calibration(labels, (true > 0.5).astype(float)).error == pytest.approx(0.25, abs=0.01)


def test_a_probability_on_an_edge_belongs_to_the_bin_above_and_1_to_the_last() -> None:
    bins = calibration([1, 0, 1], [0.5, 1.0, 0.0], bins=2).bins
    assert [(bin_.low, bin_.rows) for bin_ in bins] == [(0.0, 1), (0.5, 2)]
