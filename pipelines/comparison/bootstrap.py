"""Bootstrap intervals of sensitivity, precision and F1, and of their differences between call sets.

Percentile bootstrap (Efron 1979, doi:10.1214/aos/1176344552) over loci: genes that overlap are right or wrong together,
and so are the bases, exons and transcripts of one gene, so that a locus is drawn with all that lies in it (Davison and
Hinkley 1997, section 3.8). Each figure is a ratio of sums over loci, so that all samples are one matrix product: how
often each locus is drawn, times its counts. All call sets see the same samples, which pairs their differences. 1,000
samples of 60,000 loci take a few seconds; memory is bounded by `_CELLS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from pipelines import metrics

FIGURES = ("sensitivity", "precision", "f1")
MIN_LOCI = 10
"""An interval from fewer loci says little, and is not given."""
# Draws (samples x loci) that are in memory at a time: 16 MB of float64.
_CELLS = 1 << 21
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Resampling:
    """How bootstrap samples are drawn; the same seed gives the same intervals.

    Attributes:
        samples: number of samples; none gives no intervals.
        seed: seed of the draws.
    """

    samples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: None where its denominator is 0: sensitivity with nothing annotated, precision with nothing called.
        interval: of the middle 95 % of samples; None with fewer than `MIN_LOCI` loci that count.
    """

    value: float | None
    interval: Interval


def figures(counts: ArrayLike) -> Floats:
    """Sensitivity, precision and F1 of counts.

    Args:
        counts: annotated, called, recovered and correct, shape (..., 4).

    Returns:
        Shape (..., 3), in the order of `FIGURES`. NaN where nothing is annotated (sensitivity), nothing is called
        (precision) or neither (F1); F1 is 0 where only one of them is undefined or both are 0.
    """
    annotated, called, recovered, correct = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    with np.errstate(invalid="ignore"):
        sensitivity, precision = recovered / annotated, correct / called
        known, right = np.nan_to_num(sensitivity), np.nan_to_num(precision)
        f1 = np.where(known + right > 0, 2 * known * right / (known + right), 0.0)
    f1[(annotated == 0) & (called == 0)] = np.nan
    return np.stack([sensitivity, precision, f1], axis=-1)


def resampled_sums(columns: NDArray[Any] | sparse.csr_array, resampling: Resampling) -> Floats:
    """Sums over the loci of each bootstrap sample.

    Args:
        columns: what is counted in each locus, shape (loci, columns), dense or sparse.
        resampling: how samples are drawn; columns in another call get the same draws for as many loci.

    Returns:
        Shape (samples, columns).
    """
    loci, width = columns.shape
    factors = columns.astype(np.float64)
    generator = np.random.default_rng(resampling.seed)
    sums = np.zeros((resampling.samples, width))
    at_once = max(1, _CELLS // max(loci, 1))
    # Threads that wait for each other on a busy machine take thirty times as long, and one is fast enough.
    with threadpool_limits(1):
        for first in range(0, resampling.samples, at_once):
            last = min(first + at_once, resampling.samples)
            sums[first:last] = metrics.resample_counts(generator, last - first, loci) @ factors
    return sums


def replicates(counts: Sequence[Counts], resampling: Resampling) -> Floats:
    """The figures of bootstrap samples, the same samples for every call set.

    Args:
        counts: of each call set, shape (loci, levels, 4); the loci are the same for all.
        resampling: how samples are drawn.

    Returns:
        Shape (call sets, samples, levels, 3); NaN as in `figures`.
    """
    sets, (loci, levels, _) = len(counts), counts[0].shape
    sums = resampled_sums(np.stack(counts, axis=1).reshape(loci, sets * levels * 4), resampling)
    return np.moveaxis(figures(sums.reshape(resampling.samples, sets, levels, 4)), 1, 0)


def estimates(counts: Sequence[Counts], resampled: Floats) -> list[list[dict[str, Estimate]]]:
    """Every figure of every level of every call set.

    Args:
        counts: as for `replicates`.
        resampled: from `replicates`.

    Returns:
        By call set and level, a dictionary with the keys of `FIGURES`.
    """
    return [
        _of_levels(figures(of_set.sum(axis=0)), of_samples, _loci_that_count(of_set))
        for of_set, of_samples in zip(counts, resampled, strict=True)
    ]


def differences(first: Counts, second: Counts, resampled: Floats) -> list[dict[str, Estimate]]:
    """The figures of one call set minus those of another, paired by sample.

    Args:
        first: counts of the one, shape (loci, levels, 4).
        second: counts of the other, of the same loci.
        resampled: figures of both in the same samples, from `replicates`, shape (2, samples, levels, 3).

    Returns:
        By level, a dictionary with the keys of `FIGURES`.
    """
    values = figures(first.sum(axis=0)) - figures(second.sum(axis=0))
    return _of_levels(values, resampled[0] - resampled[1], _loci_that_count(first + second))


def _of_levels(values: Floats, samples: Floats, loci: NDArray[np.int64]) -> list[dict[str, Estimate]]:
    return [
        {
            name: estimate(values[level, column], samples[:, level, column], int(loci[level, column]))
            for column, name in enumerate(FIGURES)
        }
        for level in range(len(values))
    ]


def _loci_that_count(counts: Counts) -> NDArray[np.int64]:
    """Number of loci that have something annotated, something called, or either; shape (levels, 3)."""
    annotated, called = counts[..., 0] > 0, counts[..., 1] > 0
    return np.stack([annotated, called, annotated | called], axis=-1).sum(axis=0)


def estimate(value: float, samples: Floats, loci: int) -> Estimate:
    """A figure with its interval.

    Args:
        value: NaN for none.
        samples: its values in bootstrap samples, shape (samples,).
        loci: number of loci that contribute to it.
    """
    if np.isnan(value):
        return Estimate(None, None)
    return Estimate(float(value), metrics.percentile_interval(samples) if loci >= MIN_LOCI else None)
