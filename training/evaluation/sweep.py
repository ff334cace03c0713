"""What a decision threshold does: precision, recall, F1 and MCC at many thresholds, from one sort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines import metrics

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """Metrics at thresholds, each of shape (thresholds,); ratios are 0 where they divide by 0."""

    threshold: Floats
    called: NDArray[np.int64]
    precision: Floats
    recall: Floats
    f1: Floats
    mcc: Floats


def sweep(labels: ArrayLike, scores: ArrayLike, thresholds: ArrayLike) -> Sweep:
    """Compute metrics at each threshold; a score at or above it is called a gene.

    Args:
        labels: 1 gene, 0 negative, shape (rows,).
        scores: higher means gene, shape (rows,).
        thresholds: shape (thresholds,).
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    thresholds = np.asarray(thresholds, dtype=np.float64)
    genes, negatives = (np.sort(scores[labels == label]) for label in (1, 0))
    # In sorted scores, those from the left insertion point on are at or above the threshold.
    true, false = (len(ranked) - np.searchsorted(ranked, thresholds, side="left") for ranked in (genes, negatives))
    called = (true + false).astype(np.float64)
    positive, total = np.full_like(called, len(genes)), np.full_like(called, len(labels))
    mcc, f1, precision, recall, *_ = metrics.metrics_from_counts(true.astype(np.float64), called, positive, total)
    return Sweep(thresholds, true + false, precision, recall, f1, mcc)
