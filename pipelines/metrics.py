"""Metrics of two-class probabilities, over a whole split at once (never averaged over batches).

The values are those of scikit-learn to the last bit, without its import, which takes two seconds of every process
that trains or scores. The cost is that of sorting, n log n. AUPRC is average precision (no interpolation, Davis and
Goadrich 2006); MCC is Matthews 1975.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
NAMES = ("auroc", "auprc", "mcc", "f1", "precision", "recall", "accuracy")
AT_THRESHOLD = NAMES[2:]
CONFIDENCE = 0.95
"""Of every interval."""
# The quantile of the standard normal distribution at (1 + CONFIDENCE) / 2.
_NORMAL_QUANTILE = 1.959963984540054


@dataclass(frozen=True)
class Curve:
    """Points of a curve in drawing order; x and y have shape (points,)."""

    x: Floats
    y: Floats


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve of scores (any scale) against labels 0 and 1; NaN when one class is missing.

    Raises:
        ValueError: there is no score, or one is not finite.
    """
    curve = roc_curve(labels, scores)
    return float(np.trapezoid(curve.y, curve.x))


def binary_metrics(labels: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, float]:
    """Every metric of `NAMES`.

    Args:
        labels: 1 gene, 0 negative, shape (n,).
        scores: higher means gene, shape (n,).
        threshold: a score at or above it is called a gene.

    Returns:
        Name to value. AUROC and AUPRC are NaN when one class is missing; precision and recall are 0 where their
        denominator is 0.

    Raises:
        ValueError: there is no score, or one is not finite.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    is_gene, is_called = labels == 1, scores >= threshold
    total, genes, called = labels.size, int(is_gene.sum()), int(is_called.sum())
    right, correct = int((is_gene & is_called).sum()), int((is_gene == is_called).sum())
    return {
        "auroc": auroc(labels, scores),
        "auprc": _average_precision(labels, scores) if 0 < genes < total else float("nan"),
        "mcc": _mcc(correct, genes, called, total),
        "f1": 2 * right / (genes + called) if genes + called else 0.0,
        "precision": right / called if called else 0.0,
        "recall": right / genes if genes else 0.0,
        "accuracy": correct / total,
    }


def _mcc(correct: int, genes: int, called: int, total: int) -> float:
    """Matthews' correlation of labels and calls; 0 where either has one value only."""
    # In floating point, as products of four counts exceed 64 bits.
    labels, calls = np.array([total - genes, genes], np.float64), np.array([total - called, called], np.float64)
    squared = float(total) * total
    spread = (squared - calls @ calls) * (squared - labels @ labels)
    return float((float(correct) * total - labels @ calls) / np.sqrt(spread)) if spread else 0.0


def _average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Precision at each score times the recall that it adds."""
    curve = precision_recall_curve(labels, scores)
    # From the lowest score to the highest: the order in which floating point adds is that of scikit-learn.
    recall, precision = curve.x[::-1], curve.y[::-1]
    return max(0.0, float(-np.sum(np.diff(recall) * precision[:-1])))


def _counts_by_score(labels: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats]:
    """Negatives and genes that reach each distinct score, from the highest score to the lowest.

    Raises:
        ValueError: there is no score, or one is not finite.
    """
    scores = np.asarray(scores)
    if not scores.size:
        raise ValueError("there is no score")
    if not np.isfinite(scores).all():
        raise ValueError("scores that are not finite have no order")
    order = np.argsort(scores)[::-1]
    ordered = scores[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    genes = np.cumsum(np.asarray(labels)[order] == 1, dtype=np.float64)[last]
    return 1 + last.astype(np.float64) - genes, genes


def safe_divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, elementwise; 0 where the denominator is 0. Shape as the arguments."""
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)


def metrics_from_counts(
    true_positives: Floats, called: Floats, genes: Floats, total: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """MCC, F1, precision, recall and accuracy from counts; 0 where a denominator is 0.

    Args:
        true_positives: genes that are called genes.
        called: rows that are called genes.
        genes: rows that are genes.
        total: rows.

    Returns:
        Five arrays of the arguments' shape.
    """
    false_positives, negatives = called - true_positives, total - genes
    spread = np.sqrt(called) * np.sqrt(genes) * np.sqrt(total - called) * np.sqrt(negatives)
    mcc = safe_divide(
        true_positives * (negatives - false_positives) - false_positives * (genes - true_positives), spread
    )
    return (
        mcc,
        safe_divide(2 * true_positives, called + genes),
        safe_divide(true_positives, called),
        safe_divide(true_positives, genes),
        safe_divide(true_positives + negatives - false_positives, total),
    )


def metrics_of_calls(labels: ArrayLike, called: ArrayLike) -> dict[str, float]:
    """The metrics of `NAMES` that depend on the threshold, from which rows reach it, both of shape (n,)."""
    is_gene, is_called = np.asarray(labels) == 1, np.asarray(called)
    counts = ((is_gene & is_called).sum(), is_called.sum(), is_gene.sum(), is_gene.size)
    values = metrics_from_counts(*(np.array([count], np.float64) for count in counts))
    return {name: float(value[0]) for name, value in zip(AT_THRESHOLD, values, strict=True)}


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927); 0 to 1 if there are no trials."""
    if trials == 0:
        return 0.0, 1.0
    share, squared = successes / trials, _NORMAL_QUANTILE**2
    denominator = 2 * (trials + squared)
    centre = (2 * trials * share + squared) / denominator
    half = _NORMAL_QUANTILE / denominator * sqrt(4 * trials * share * (1 - share) + squared)
    return 0.0 if successes == 0 else centre - half, 1.0 if successes == trials else centre + half


def difference_interval(successes: int, trials: int, other: int, other_trials: int) -> tuple[float, float]:
    """The 95 % interval of a proportion less another one, of other trials (Newcombe 1998, method 10).

    Args:
        successes, trials: of the first proportion.
        other, other_trials: of the one that is subtracted.
    """
    first, second = successes / max(trials, 1), other / max(other_trials, 1)
    (low, high), (other_low, other_high) = wilson_interval(successes, trials), wilson_interval(other, other_trials)
    difference = first - second
    return (
        difference - float(np.hypot(first - low, other_high - second)),
        difference + float(np.hypot(high - first, second - other_low)),
    )


def resample_counts(generator: np.random.Generator, samples: int, size: int) -> Floats:
    """Draw how often each of `size` items is chosen in `size` draws with replacement, shape (samples, size).

    Samples drawn in several calls of one generator are those of a single call.
    """
    drawn = generator.integers(0, max(size, 1), (samples, size))
    drawn += size * np.arange(samples)[:, None]
    return np.bincount(drawn.ravel(), minlength=samples * size).reshape(samples, size).astype(np.float64)


def percentile_interval(values: Floats) -> tuple[float, float] | None:
    """The middle `CONFIDENCE` of the values of bootstrap samples, shape (samples,); None if no sample has a value.

    NaN, the value of a sample in which a metric is undefined, does not count.
    """
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return None
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """The ROC curve: x is the false positive rate, y the true positive rate; NaN of a class that is missing.

    Raises:
        ValueError: there is no score, or one is not finite.
    """
    negatives, genes = _counts_by_score(labels, scores)
    # Points on a line between others are left out.
    is_corner = np.ones(len(genes), np.bool_)
    is_corner[1:-1] = (np.diff(negatives, 2) != 0) | (np.diff(genes, 2) != 0)
    rates = [np.append(0.0, counts[is_corner]) for counts in (negatives, genes)]
    x, y = (counts / counts[-1] if counts[-1] else np.full(len(counts), np.nan) for counts in rates)
    return Curve(x, y)


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """The precision-recall curve: x is recall, y precision. Without genes, recall is 1 at every score.

    Raises:
        ValueError: there is no score, or one is not finite.
    """
    negatives, genes = _counts_by_score(labels, scores)
    recall = genes / genes[-1] if genes[-1] else np.ones(len(genes))
    return Curve(np.append(0.0, recall), np.append(1.0, genes / (genes + negatives)))
