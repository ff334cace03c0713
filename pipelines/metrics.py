"""Metrics of two-class probabilities, over a whole split at once (never averaged over batches).

scikit-learn computes each metric; the cost is that of sorting, n log n. AUPRC is average precision (no interpolation,
Davis and Goadrich 2006); MCC is Matthews 1975.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest
from sklearn import metrics as sk

Floats = NDArray[np.float64]
NAMES = ("auroc", "auprc", "mcc", "f1", "precision", "recall", "accuracy")
AT_THRESHOLD = NAMES[2:]
CONFIDENCE = 0.95
"""Of every interval."""


@dataclass(frozen=True)
class Curve:
    """Points of a curve in drawing order; x and y have shape (points,)."""

    x: Floats
    y: Floats


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve of scores (any scale) against labels 0 and 1; NaN when one class is missing."""
    labels = np.asarray(labels)
    if len(np.unique(labels)) < 2:
        return float("nan")
    return float(sk.roc_auc_score(labels, np.asarray(scores)))


def binary_metrics(labels: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, float]:
    """Every metric of `NAMES`.

    Args:
        labels: 1 gene, 0 negative, shape (n,).
        scores: higher means gene, shape (n,).
        threshold: a score at or above it is called a gene.

    Returns:
        Name to value. AUROC and AUPRC are NaN when one class is missing; precision and recall are 0 where their
        denominator is 0.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    called = (scores >= threshold).astype(labels.dtype)
    both = len(np.unique(labels)) == 2
    return {
        "auroc": auroc(labels, scores),
        "auprc": float(sk.average_precision_score(labels, scores)) if both else float("nan"),
        "mcc": float(sk.matthews_corrcoef(labels, called)),
        "f1": float(sk.f1_score(labels, called, zero_division=0)),
        "precision": float(sk.precision_score(labels, called, zero_division=0)),
        "recall": float(sk.recall_score(labels, called, zero_division=0)),
        "accuracy": float(sk.accuracy_score(labels, called)),
    }


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
    interval = binomtest(successes, trials).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


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
    """The ROC curve: x is the false positive rate, y the true positive rate."""
    false_positive, true_positive, _ = sk.roc_curve(labels, scores)
    return Curve(false_positive, true_positive)


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """The precision-recall curve: x is recall, y precision."""
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    return Curve(recall[::-1], precision[::-1])
