"""What a decision threshold does: at many values, and on other rows than those that it was chosen on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines import metrics

Floats = NDArray[np.float64]
CLEAR = 0.02
"""A rate has clearly changed where the whole 95 % interval of the difference is further from zero."""


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


@dataclass(frozen=True)
class Rates:
    """What a threshold does to labelled rows.

    Attributes:
        genes, negatives: rows of each label.
        genes_called, negatives_called: how many of them reach the threshold.
    """

    genes: int
    negatives: int
    genes_called: int
    negatives_called: int

    @property
    def recall(self) -> float:
        """Share of genes that are called genes."""
        return self.genes_called / max(self.genes, 1)

    @property
    def false_positive_rate(self) -> float:
        """Share of negatives that are called genes."""
        return self.negatives_called / max(self.negatives, 1)

    @property
    def precision(self) -> float:
        """Share of genes among the rows that are called genes; it grows with their share among all rows."""
        return self.genes_called / max(self.genes_called + self.negatives_called, 1)


@dataclass(frozen=True)
class Change:
    """How far a rate is from what it was, with the 95 % interval of the difference (Newcombe 1998, method 10)."""

    value: float
    interval: tuple[float, float]

    @property
    def is_clear(self) -> bool:
        """Whether chance does not explain it, and it is large enough to matter."""
        low, high = self.interval
        return low > CLEAR or high < -CLEAR


@dataclass(frozen=True)
class Transfer:
    """A bundle's threshold on the rows that it was chosen on, and on others.

    Attributes:
        before: on the validation split of the bundle's own dataset.
        after: on the evaluated rows.
    """

    before: Rates
    after: Rates

    @property
    def recall(self) -> Change:
        """Of the share of genes that are called genes."""
        before, after = self.before, self.after
        return _change(after.genes_called, after.genes, before.genes_called, before.genes)

    @property
    def false_positive_rate(self) -> Change:
        """Of the share of negatives that are called genes."""
        before, after = self.before, self.after
        return _change(after.negatives_called, after.negatives, before.negatives_called, before.negatives)


def transfer(config: Mapping[str, Any], labels: ArrayLike, called: NDArray[np.bool_]) -> Transfer | None:
    """Compare a bundle's threshold on its validation with the same threshold on other rows.

    Args:
        config: of the bundle.
        labels: 1 gene, 0 negative, shape (rows,).
        called: which rows reach the threshold, shape (rows,).

    Returns:
        None if the bundle does not hold its figures at the threshold.
    """
    figures, split = config["metrics"], config["dataset"].get("splits", {}).get("validation", {})
    if not ({"genes", "negatives"} <= set(split) and {"threshold_recall", "threshold_accuracy"} <= set(figures)):
        return None
    genes, negatives = int(split["genes"]), int(split["negatives"])
    genes_called = round(figures["threshold_recall"] * genes)
    right = round(figures["threshold_accuracy"] * (genes + negatives))
    is_gene = np.asarray(labels) == 1
    return Transfer(
        before=Rates(genes, negatives, genes_called, negatives - (right - genes_called)),
        after=Rates(int(is_gene.sum()), int((~is_gene).sum()), int(called[is_gene].sum()), int(called[~is_gene].sum())),
    )


def _change(successes: int, trials: int, successes_before: int, trials_before: int) -> Change:
    interval = metrics.difference_interval(successes, trials, successes_before, trials_before)
    return Change(successes / max(trials, 1) - successes_before / max(trials_before, 1), interval)
