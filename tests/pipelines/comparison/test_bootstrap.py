from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from pipelines import metrics
from pipelines.comparison import bootstrap
from pipelines.comparison.bootstrap import FIGURES, Counts, Resampling
from tests.hypothesis_profiles import examples


def random_counts(loci: int, levels: int = 2, seed: int = 0) -> Counts:
    """Counts of loci in which three of four annotated items are found, and four of five calls are right."""
    generator = np.random.default_rng(seed)
    annotated, called = generator.integers(0, 4, (2, loci, levels))
    recovered, correct = generator.binomial(annotated, 0.75), generator.binomial(called, 0.8)
    return np.stack([annotated, called, recovered, correct], axis=-1)


def plain_figures(annotated: float, called: float, recovered: float, correct: float) -> list[float]:
    sensitivity = recovered / annotated if annotated else math.nan
    precision = correct / called if called else math.nan
    if not annotated and not called:
        return [sensitivity, precision, math.nan]
    if not recovered or not correct:
        return [sensitivity, precision, 0.0]
    return [sensitivity, precision, 2 * sensitivity * precision / (sensitivity + precision)]


@given(st.tuples(*[st.integers(0, 3)] * 4).map(lambda row: (*row[:2], min(row[0], row[2]), min(row[1], row[3]))))
def test_figures_are_ratios_and_their_harmonic_mean(counts: tuple[int, int, int, int]) -> None:
    assert bootstrap.figures(np.array(counts)).tolist() == pytest.approx(plain_figures(*counts), nan_ok=True)


@examples(20)
@given(st.integers(1, 30), st.integers(0, 5), st.integers(1, 3))
def test_samples_have_the_figures_of_a_plain_loop_over_the_loci_drawn(loci: int, seed: int, sets: int) -> None:
    counts = [random_counts(loci, seed=seed + number) for number in range(sets)]
    resampled = bootstrap.replicates(counts, Resampling(samples=5, seed=seed))
    drawn = metrics.resample_counts(np.random.default_rng(seed), 5, loci).astype(int)
    for number, of_set in enumerate(counts):
        for sample, times in enumerate(drawn):
            for level in range(2):
                total = [0, 0, 0, 0]
                for locus, count in enumerate(times):
                    total = [sum_ + count * value for sum_, value in zip(total, of_set[locus, level], strict=True)]
                assert resampled[number, sample, level].tolist() == pytest.approx(plain_figures(*total), nan_ok=True)


def test_the_number_of_samples_drawn_at_once_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [random_counts(40)]
    expected = bootstrap.replicates(counts, Resampling(samples=30))
    monkeypatch.setattr(bootstrap, "_CELLS", 90)
    assert (bootstrap.replicates(counts, Resampling(samples=30)) == expected).all()


def test_sparse_columns_are_summed_like_dense_ones() -> None:
    columns = random_counts(40).reshape(40, -1)
    dense = bootstrap.resampled_sums(columns, Resampling(samples=30))
    assert (bootstrap.resampled_sums(sparse.csr_array(columns), Resampling(samples=30)) == dense).all()


def test_intervals_hold_the_true_figure_about_95_times_in_100() -> None:
    held = np.zeros(3)
    for seed in range(200):
        counts = [random_counts(150, levels=1, seed=seed)]
        (of_levels,) = bootstrap.estimates(counts, bootstrap.replicates(counts, Resampling(samples=200, seed=seed)))
        for column, truth in enumerate((0.75, 0.8, 2 * 0.75 * 0.8 / (0.75 + 0.8))):
            low, high = of_levels[0][FIGURES[column]].interval or (1, 0)
            held[column] += low <= truth <= high
    assert ((held >= 178) & (held <= 198)).all(), held


def test_a_difference_is_paired() -> None:
    first = random_counts(400, levels=1)
    second = first.copy()
    # Right in the same loci but for one of a hundred: apart, the intervals overlap; paired, the first is better.
    second[::100, :, 2:] = 0
    both = [first, second]
    resampled = bootstrap.replicates(both, Resampling())
    (better,), (worse,) = bootstrap.estimates(both, resampled)
    assert (better["f1"].interval or (0, 0))[0] < (worse["f1"].interval or (0, 0))[1]
    (difference,) = bootstrap.differences(first, second, resampled)
    assert difference["f1"].value == pytest.approx((better["f1"].value or 0) - (worse["f1"].value or 0))
    assert (difference["f1"].interval or (0, 0))[0] >= 0


def test_a_call_set_does_not_differ_from_itself() -> None:
    counts = random_counts(50)
    resampled = bootstrap.replicates([counts, counts], Resampling(samples=100))
    for level in bootstrap.differences(counts, counts, resampled):
        assert [level[name].value for name in FIGURES] == [0, 0, 0]
        assert [level[name].interval for name in FIGURES] == [(0, 0)] * 3


def test_few_loci_have_figures_without_an_interval() -> None:
    counts = random_counts(200, levels=2)
    counts[9:, 0] = 0
    ((few, many),) = bootstrap.estimates([counts], bootstrap.replicates([counts], Resampling(samples=100)))
    assert few["f1"].value is not None
    assert few["f1"].interval is None
    assert many["f1"].interval is not None


def test_nothing_annotated_has_no_sensitivity_and_nothing_called_no_precision() -> None:
    counts = random_counts(20, levels=1)
    counts[:, :, [0, 2]] = 0
    ((level,),) = bootstrap.estimates([counts], bootstrap.replicates([counts], Resampling(samples=100)))
    assert level["sensitivity"] == bootstrap.Estimate(None, None)
    assert level["precision"].value is not None
    assert level["f1"].value == 0


def test_no_samples_give_figures_without_intervals() -> None:
    counts = [random_counts(20)]
    ((level, _),) = bootstrap.estimates(counts, bootstrap.replicates(counts, Resampling(samples=0)))
    assert level["f1"].value is not None
    assert level["f1"].interval is None
