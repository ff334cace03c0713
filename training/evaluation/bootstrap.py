"""Bootstrap intervals of metrics, and of differences between models scored on the same rows.

Percentile bootstrap (Efron 1979). Rows are ranked once; a sample is a count for each row, so every figure of a sample is
read off cumulative sums: samples x rows x models, 1 to 4 s for 1,000 samples of 100,000 rows under one model. All models see
the same samples, so that differences are paired. Same seed, same intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines import metrics

LEVEL = 0.95
LEAST_SAMPLES, FEWEST_UNITS = 100, 5
_CELLS = 1 << 16
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Resampling:
    """How samples are drawn.

    Attributes:
        samples: how many.
        seed: of the draws.
        units: a number for each row, equal for rows that are drawn together, shape (rows,). None: rows are drawn one by one,
            genes among genes and negatives among negatives, since how many of each there are was chosen and not observed.
    """

    samples: int = 1000
    seed: int = 0
    units: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Ranked:
    """Rows in the order of one model's scores, highest first.

    Attributes:
        order: row numbers, shape (rows,).
        positive: 1.0 for genes, in that order, shape (rows,).
        ends: positions of the last of each run of equal scores, shape (runs,); None where no two are equal.
        called: how many rows reach the threshold.
    """

    order: NDArray[np.int64]
    positive: Floats
    ends: NDArray[np.int64] | None
    called: int

    @classmethod
    def of(cls, labels: ArrayLike, scores: ArrayLike, threshold: float) -> Ranked:
        """Rank rows.

        Args:
            labels: 1 gene, 0 negative, shape (rows,), at least one.
            scores: higher means gene, shape (rows,).
            threshold: a score at or above it is called a gene.
        """
        labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        positive = labels[order].astype(np.float64)
        return cls(order, positive, None if len(ends) == len(order) else ends, int((scores >= threshold).sum()))

    def figures(self, weights: Floats) -> Floats:
        """Every figure of `metrics.NAMES`, for rows that count so many times each.

        Args:
            weights: shape (samples, rows).

        Returns:
            Shape (samples, figures); AUROC and AUPRC are NaN where a class has no weight, other ratios 0 where they divide by 0.
        """
        ranked = weights[:, self.order]
        gained = ranked * self.positive
        true, both = np.cumsum(gained, axis=1), np.cumsum(ranked, axis=1)
        genes, total = true[:, -1].copy(), both[:, -1].copy()
        hits, calls = (one[:, self.called - 1].copy() if self.called else np.zeros(len(one)) for one in (true, both))
        if self.ends is not None:
            true, both = true[:, self.ends], both[:, self.ends]
            gained, ranked = (np.diff(one, axis=1, prepend=0) for one in (true, both))
        # Each negative counts the genes above it, and half of those level with it (Mann and Whitney 1947).
        area = _dot(ranked, true) - _dot(gained, true)
        if self.ends is not None:
            area -= (_dot(ranked, gained) - _dot(gained, gained)) / 2
        auroc = metrics.safe_divide(area, genes * (total - genes))
        precision = np.divide(true, np.maximum(both, 1, out=both), out=true)
        auprc = metrics.safe_divide(_dot(gained, precision), genes)
        missing = (genes == 0) | (genes == total)
        auroc[missing] = auprc[missing] = np.nan
        return np.stack([auroc, auprc, *metrics.metrics_from_counts(hits, calls, genes, total)], axis=1)


def _dot(one: Floats, other: Floats) -> Floats:
    found: Floats = np.einsum("sr,sr->s", one, other)
    return found


def figures(labels: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, float]:
    """The same as `metrics.binary_metrics`, in a tenth of a millisecond for a few rows; NaN and 0 as there."""
    ranked = Ranked.of(labels, scores, threshold)
    found = ranked.figures(np.ones((1, len(ranked.order))))[0]
    return dict(zip(metrics.NAMES, found.tolist(), strict=True))


def replicates(labels: ArrayLike, ranked: Sequence[Ranked], resampling: Resampling) -> Floats:
    """Figures of bootstrap samples, the same samples for every model.

    Args:
        labels: 1 gene, 0 negative, shape (rows,).
        ranked: the rows under each model.
        resampling: how samples are drawn.

    Returns:
        Shape (models, samples, figures), in the order of `metrics.NAMES`.
    """
    drawn = [[one.figures(weights) for one in ranked] for weights in draws(labels, resampling)]
    return np.stack([np.concatenate(parts) for parts in zip(*drawn, strict=True)])


def draws(labels: ArrayLike, resampling: Resampling) -> Iterator[Floats]:
    """How often each row is in each sample, shape (samples, rows), a few samples at a time."""
    labels = np.asarray(labels)
    # One generator for each label, so that how many samples are made at once does not matter.
    generators = [np.random.default_rng([resampling.seed, label]) for label in (0, 1)]
    at_once = max(1, _CELLS // max(len(labels), 1))
    for first in range(0, resampling.samples, at_once):
        count = min(at_once, resampling.samples - first)
        if resampling.units is not None:
            size = int(resampling.units.max()) + 1
            yield _counts(generators[0], count, size)[:, resampling.units]
            continue
        weights = np.empty((count, len(labels)))
        for label in (1, 0):
            rows = np.flatnonzero(labels == label)
            weights[:, rows] = _counts(generators[label], count, len(rows))
        yield weights


def _counts(generator: np.random.Generator, samples: int, size: int) -> Floats:
    """How often each of `size` things is drawn in `size` draws, shape (samples, size)."""
    drawn = generator.integers(0, max(size, 1), (samples, size))
    drawn += size * np.arange(samples)[:, None]
    return np.bincount(drawn.ravel(), minlength=samples * size).reshape(samples, size).astype(np.float64)


def interval(values: Floats) -> tuple[float, float] | None:
    """The middle `LEVEL` of the values of samples, shape (samples,); None where there is none.

    NaN, which a sample of one class gives, does not count.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
