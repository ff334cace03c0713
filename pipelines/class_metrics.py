"""Metrics of probabilities of several classes, over a whole split at once.

AUROC and AUPRC are of each class against all others, and their means over the classes that have rows (Hand and Till
2001 compare pairs instead). MCC is that of Gorodkin 2004, which is Matthews' for two classes. A row is called the
class of its highest probability, of equals the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines import metrics

NAMES = ("auroc", "auprc", "mcc", "macro_f1", "accuracy")
OF_CALLS = NAMES[2:]
Floats = NDArray[np.float64]


def metrics_of(labels: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
    """Every metric of `NAMES`.

    Args:
        labels: number of each row's class, shape (rows,).
        probabilities: of each class, shape (rows, classes).
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    of_classes = against_others(labels, probabilities)
    counts = confusion(labels, probabilities.argmax(1), probabilities.shape[1])
    of_calls = zip(OF_CALLS, metrics_of_counts(counts.astype(np.float64)).tolist(), strict=True)
    return {name: mean_of_known(of_classes[:, place]) for place, name in enumerate(NAMES[:2])} | dict(of_calls)


def against_others(labels: NDArray[Any], probabilities: Floats) -> Floats:
    """AUROC and AUPRC of each class against all others; NaN of a class that no row or every row has.

    Args:
        labels: shape (rows,).
        probabilities: shape (rows, classes).

    Returns:
        Shape (classes, 2).
    """
    values = [
        metrics.binary_metrics((labels == number).astype(np.int8), scores, threshold=0.5)
        for number, scores in enumerate(probabilities.T)
    ]
    return np.array([[of_class["auroc"], of_class["auprc"]] for of_class in values])


def mean_of_known(values: Floats) -> float:
    """The mean of the values that are numbers; NaN if none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def confusion(labels: NDArray[Any], called: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """The number of rows by class (first axis) and by what they are called (second), shape (classes, classes)."""
    cells = labels.astype(np.int64) * classes + called
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def metrics_of_counts(counts: Floats) -> Floats:
    """The metrics of `OF_CALLS` from confusion tables; ratios are 0 where they divide by 0.

    F1 is the mean over the classes that have rows.

    Args:
        counts: by class and what it is called, shape (…, classes, classes).

    Returns:
        Shape (…, metrics).
    """
    total, right = counts.sum((-2, -1)), np.trace(counts, axis1=-2, axis2=-1)
    of_class, called = counts.sum(-1), counts.sum(-2)
    covariance = right * total - (of_class * called).sum(-1)
    spread = np.sqrt(total**2 - (called**2).sum(-1)) * np.sqrt(total**2 - (of_class**2).sum(-1))
    _, _, f1 = rates_of_classes(counts)
    present = of_class > 0
    macro_f1 = metrics.safe_divide((f1 * present).sum(-1), present.sum(-1).astype(np.float64))
    return np.stack([metrics.safe_divide(covariance, spread), macro_f1, metrics.safe_divide(right, total)], axis=-1)


def rates_of_classes(counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each class, each of shape (…, classes); 0 where they divide by 0.

    Args:
        counts: by class and what it is called, shape (…, classes, classes).
    """
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    of_class, called = counts.sum(-1), counts.sum(-2)
    return (
        metrics.safe_divide(right, called),
        metrics.safe_divide(right, of_class),
        metrics.safe_divide(2 * right, called + of_class),
    )
