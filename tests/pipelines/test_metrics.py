from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as sk

from pipelines import metrics

cases = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=25).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def mcc(labels: np.ndarray, called: np.ndarray) -> float:
    pairs = list(zip(labels.tolist(), called.tolist(), strict=True))
    tp, tn, fp, fn = (pairs.count(pair) for pair in [(1, True), (0, False), (0, True), (1, False)])
    spread = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return (tp * tn - fp * fn) / spread if spread else 0.0


@given(cases)
def test_auroc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, int]]) -> None:
    genes = [score for label, score in rows if label]
    negatives = [score for label, score in rows if not label]
    wins = sum((gene > negative) + (gene == negative) / 2 for gene in genes for negative in negatives)
    labels, scores = zip(*rows, strict=True)
    assert metrics.auroc(labels, scores) == pytest.approx(wins / len(genes) / len(negatives))


@given(cases, st.sampled_from([np.float32, np.float64]), st.integers(0, 7))
def test_every_value_is_that_of_scikit_learn_to_the_last_bit(
    rows: list[tuple[int, int]], kind: type[np.floating[Any]], threshold: int
) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.sqrt(np.array([score for _, score in rows], kind))
    called = (scores >= threshold).astype(int)
    assert metrics.binary_metrics(labels, scores, threshold) == {
        "auroc": sk.roc_auc_score(labels, scores),
        "auprc": sk.average_precision_score(labels, scores),
        "mcc": sk.matthews_corrcoef(labels, called),
        "f1": sk.f1_score(labels, called, zero_division=0),
        "precision": sk.precision_score(labels, called, zero_division=0),
        "recall": sk.recall_score(labels, called, zero_division=0),
        "accuracy": sk.accuracy_score(labels, called),
    }
    roc, recall = metrics.roc_curve(labels, scores), metrics.precision_recall_curve(labels, scores)
    for curve, expected in ((roc, sk.roc_curve(labels, scores)), (recall, sk.precision_recall_curve(labels, scores))):
        xy = expected[:2] if curve is roc else [part[::-1] for part in (expected[1], expected[0])]
        assert [curve.x.tolist(), curve.y.tolist()] == [part.tolist() for part in xy]


def test_values_of_many_rows_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, 50_000)
    scores = np.round(generator.normal(labels, 2.0), 3)
    values, called = metrics.binary_metrics(labels, scores, 0.5), (scores >= 0.5).astype(int)
    assert values["auroc"] == sk.roc_auc_score(labels, scores)
    assert values["auprc"] == sk.average_precision_score(labels, scores)
    assert values["mcc"] == sk.matthews_corrcoef(labels, called)


FUNCTIONS = [
    metrics.auroc,
    lambda labels, scores: metrics.binary_metrics(labels, scores, 0.5),
    metrics.roc_curve,
    metrics.precision_recall_curve,
]


@pytest.mark.parametrize("labels", [[1, 0], [1, 1]])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_scores_that_are_no_numbers_are_refused(function: Callable[..., Any], labels: list[int]) -> None:
    with pytest.raises(ValueError, match="not finite"):
        function(labels, [float("nan"), 0.5])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_row_at_all_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="there is no score"):
        function([], [])


@given(st.integers(0, 10**7).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_wilsons_interval_is_that_of_scipy(counts: tuple[int, int]) -> None:
    successes, trials = counts
    if trials == 0:
        assert metrics.wilson_interval(0, 0) == (0.0, 1.0)
        return
    interval = binomtest(successes, trials).proportion_ci(metrics.CONFIDENCE, method="wilson")
    assert metrics.wilson_interval(successes, trials) == (interval.low, interval.high)


def test_every_metric_of_a_small_table() -> None:
    values = metrics.binary_metrics([1, 1, 1, 0, 0], [0.9, 0.6, 0.2, 0.7, 0.1], 0.5)
    assert values["precision"] == pytest.approx(2 / 3)
    assert values["recall"] == pytest.approx(2 / 3)
    assert values["accuracy"] == pytest.approx(3 / 5)
    assert values["f1"] == pytest.approx(2 / 3)
    assert values["mcc"] == pytest.approx(mcc(np.array([1, 1, 1, 0, 0]), np.array([True, True, False, True, False])))
    assert tuple(values) == metrics.NAMES


def test_a_score_at_the_threshold_is_called_a_gene() -> None:
    assert metrics.binary_metrics([1, 0], [0.5, 0.4], 0.5)["accuracy"] == 1.0


@given(cases, st.integers(0, 7))
def test_metrics_from_counts_are_those_of_the_rows(rows: list[tuple[int, int]], threshold: int) -> None:
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    called = scores >= threshold
    counts = [(called & (labels == 1)).sum(), called.sum(), labels.sum(), len(labels)]
    values = metrics.metrics_from_counts(*(np.array([count], np.float64) for count in counts))
    expected = metrics.binary_metrics(labels, scores, threshold)
    for name, value in zip(("mcc", "f1", "precision", "recall", "accuracy"), values, strict=True):
        assert value[0] == pytest.approx(expected[name]), name


def test_one_class_has_no_auroc() -> None:
    assert math.isnan(metrics.auroc([1, 1], [0.1, 0.2]))


def test_samples_without_a_value_do_not_count_in_an_interval() -> None:
    assert metrics.percentile_interval(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    assert metrics.percentile_interval(np.array([np.nan])) is None


def test_every_resample_has_as_many_items_as_there_are_however_many_are_drawn_at_once() -> None:
    at_once = metrics.resample_counts(np.random.default_rng(1), 6, 7)
    generator = np.random.default_rng(1)
    in_parts = np.concatenate([metrics.resample_counts(generator, count, 7) for count in (1, 3, 2)])
    assert (at_once.sum(axis=1) == 7).all()
    assert (at_once == in_parts).all()
