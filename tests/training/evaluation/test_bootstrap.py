from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import metrics
from tests.hypothesis_profiles import examples
from training.evaluation import bootstrap
from training.evaluation.bootstrap import RankedRows, Resampling


def rows(count: int = 120, seed: int = 0, decimals: int = 6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(count) % 3 == 0).astype(np.int8)
    return labels, np.round(generator.normal(size=count) + labels, decimals)


scored = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])), min_size=1, max_size=40
)


@examples(150)
@given(scored, st.sampled_from([0.0, 0.3, 0.5, 0.95, 2.0]))
def test_figures_of_all_rows_are_those_of_scikit_learn(pairs: list[tuple[int, float]], threshold: float) -> None:
    labels, scores = np.array([label for label, _ in pairs]), np.array([score for _, score in pairs])
    expected = metrics.binary_metrics(labels, scores, threshold)
    assert bootstrap.quick_metrics(labels, scores, threshold) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("decimals", [6, 1])
def test_samples_have_the_figures_of_a_plain_loop_over_the_rows_drawn(decimals: int) -> None:
    labels, scores = rows(decimals=decimals)
    resampling = Resampling(samples=40, seed=3)
    (samples,) = bootstrap.replicates(labels, [RankedRows.from_scores(labels, scores, 0.6)], resampling)
    counts = np.concatenate([*bootstrap.sample_weights(labels, resampling)]).astype(int)
    for sample, weights in zip(samples, counts, strict=True):
        drawn = np.repeat(np.arange(len(labels)), weights)
        assert dict(zip(metrics.NAMES, sample, strict=True)) == pytest.approx(
            metrics.binary_metrics(labels[drawn], scores[drawn], 0.6)
        )


def test_a_sample_has_as_many_genes_and_negatives_as_the_rows() -> None:
    labels, _ = rows()
    for weights in bootstrap.sample_weights(labels, Resampling(samples=20)):
        assert (weights[:, labels == 1].sum(axis=1) == (labels == 1).sum()).all()
        assert (weights[:, labels == 0].sum(axis=1) == (labels == 0).sum()).all()


def test_rows_of_a_unit_are_drawn_together() -> None:
    labels, _ = rows()
    units = np.arange(len(labels)) // 10
    for weights in bootstrap.sample_weights(labels, Resampling(samples=20, units=units)):
        for unit in range(12):
            assert (weights[:, units == unit] == weights[:, units == unit][:, :1]).all()
        assert (weights[:, ::10].sum(axis=1) == 12).all()


def test_the_same_seed_gives_the_same_samples_however_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores = rows()
    ranked = [RankedRows.from_scores(labels, scores, 0.6)]
    samples_of_seed_1 = bootstrap.replicates(labels, ranked, Resampling(samples=50, seed=1))
    monkeypatch.setattr(bootstrap, "_CELLS", 1000)
    assert np.array_equal(bootstrap.replicates(labels, ranked, Resampling(samples=50, seed=1)), samples_of_seed_1)
    assert not np.array_equal(bootstrap.replicates(labels, ranked, Resampling(samples=50, seed=2)), samples_of_seed_1)


def test_models_see_the_same_samples_so_that_equal_models_never_differ() -> None:
    labels, scores = rows()
    ranked = RankedRows.from_scores(labels, scores, 0.6)
    metrics_by_model = bootstrap.replicates(labels, [ranked, replace(ranked)], Resampling(samples=30))
    assert np.array_equal(metrics_by_model[0], metrics_by_model[1])


def test_the_interval_covers_the_figure_and_narrows_with_more_rows() -> None:
    widths = []
    for count in (120, 1200):
        labels, scores = rows(count)
        (samples,) = bootstrap.replicates(
            labels, [RankedRows.from_scores(labels, scores, 0.6)], Resampling(samples=300)
        )
        low, high = metrics.percentile_interval(samples[:, 0]) or (1.0, 0.0)
        assert low < metrics.auroc(labels, scores) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
