"""Metrics of two-class probabilities, over a whole split at once (never averaged over batches).

Sorting makes it n log n; scikit-learn computes each figure. AUPRC is average precision (no interpolation,
Davis and Goadrich 2006); MCC is Matthews 1975.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sk

Floats = NDArray[np.float64]
NAMES = ("auroc", "auprc", "mcc", "f1", "precision", "recall", "accuracy")
# Half of a 95 % interval, in standard deviations of a normal distribution.
_Z = 1.959963984540054


@dataclass(frozen=True)
class Curve:
    """Points of a curve, in drawing order: x and y of shape (points,)."""

    x: Floats
    y: Floats


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve of scores (any scale) against labels 0 and 1; NaN when one class is missing."""
    labels = np.asarray(labels)
    if len(np.unique(labels)) < 2:
        return float("nan")
    return float(sk.roc_auc_score(labels, np.asarray(scores)))


def binary_metrics(labels: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, float]:
    """Every figure of `NAMES`.

    Args:
        labels: 1 gene, 0 negative, shape (n,).
        scores: higher means gene, shape (n,).
        threshold: a score at or above it is called a gene.

    Returns:
        Name to value. AUROC and AUPRC are NaN when one class is missing; precision and recall are 0 where
        they divide by zero.
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


def ratio(above: Floats, below: Floats) -> Floats:
    """One divided by the other, 0 where that divides by 0. Shape as given."""
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)


def of_counts(true: Floats, called: Floats, genes: Floats, total: Floats) -> tuple[Floats, ...]:
    """MCC, F1, precision, recall and accuracy, 0 where they divide by 0; shape as given, each.

    Args:
        true: genes that are called genes.
        called: rows that are called genes.
        genes: rows that are genes.
        total: rows.
    """
    false, negatives = called - true, total - genes
    spread = np.sqrt(called) * np.sqrt(genes) * np.sqrt(total - called) * np.sqrt(negatives)
    mcc = ratio(true * (negatives - false) - false * (genes - true), spread)
    return (
        mcc,
        ratio(2 * true, called + genes),
        ratio(true, called),
        ratio(true, genes),
        ratio(true + negatives - false, total),
    )


def best_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """The threshold of highest MCC, halfway between two neighbouring scores; 0.5 when one class is missing."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if len(np.unique(labels)) < 2:
        return 0.5
    order = np.argsort(-scores, kind="stable")
    ranked, sorted_scores = labels[order].astype(np.float64), scores[order]
    last = np.append(np.diff(sorted_scores) != 0, True)
    true_positive = np.cumsum(ranked)[last]
    called = np.arange(1, len(ranked) + 1)[last]
    positive, total = ranked.sum(), len(ranked)
    false_positive = called - true_positive
    spread = np.sqrt(called * positive * (total - called) * (total - positive))
    numerator = true_positive * (total - positive - false_positive) - false_positive * (positive - true_positive)
    mcc = np.divide(numerator, spread, out=np.zeros_like(spread), where=spread > 0)
    best = int(np.argmax(mcc))
    levels = sorted_scores[last]
    return float(levels[best] if best + 1 == len(levels) else (levels[best] + levels[best + 1]) / 2)


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927); 0 to 1 without a trial."""
    if trials == 0:
        return 0.0, 1.0
    share, z2 = successes / trials, _Z * _Z
    centre, width = share + z2 / (2 * trials), _Z * np.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return max(0.0, float((centre - width) / scale)), min(1.0, float((centre + width) / scale))


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """False positive rate against true positive rate."""
    false_positive, true_positive, _ = sk.roc_curve(labels, scores)
    return Curve(false_positive, true_positive)


def precision_recall_curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """Recall against precision."""
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    return Curve(recall[::-1], precision[::-1])
