"""Decision thresholds of two-class scores: a row is called a gene if its score is at or above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.metrics import metrics_from_counts, safe_divide

Floats = NDArray[np.float64]
PROBABILITY, LOG_ODDS = 0.5, 0.0
"""Neutral thresholds of scores on either scale."""


def of_highest_mcc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The threshold of highest MCC, halfway between two neighbouring scores; 0.5 when one class is missing.

    Of thresholds with the same MCC the highest is taken.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if len(np.unique(labels)) < 2:
        return 0.5
    candidates = _Candidates.of(labels, scores)
    return float(candidates.thresholds[np.argmax(candidates.mcc())])


def nearest_to(neutral: float, labels: ArrayLike, scores: ArrayLike) -> float:
    """The threshold nearest to `neutral` whose MCC is within a standard error of the highest.

    This is the rule of one standard error (Breiman et al. 1984) for thresholds. The standard error is that of the
    difference between two thresholds' MCC on the same rows, by the delta method. On few rows thresholds far apart are
    as good as each other, and the one of highest MCC among them is chance.

    Args:
        neutral: the threshold to prefer, as `PROBABILITY` or `LOG_ODDS`; also the result when one class
            is missing.
        labels: 1 gene, 0 negative, shape (n,).
        scores: higher means gene, shape (n,).
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if len(np.unique(labels)) < 2:
        return neutral
    candidates = _Candidates.of(labels, scores)
    mcc = candidates.mcc()
    best = int(np.argmax(mcc))
    # Rounding must not exclude the best itself.
    is_as_good = mcc[best] - mcc <= candidates.errors(best) + 1e-12
    thresholds = candidates.nearest_to(neutral)[is_as_good]
    return float(thresholds[np.argmin(np.abs(thresholds - neutral))])


@dataclass(frozen=True)
class _Candidates:
    """Every threshold that calls another set of rows, in descending order; each array has shape (thresholds,).

    Attributes:
        thresholds: halfway between neighbouring scores; the last is the lowest score.
        levels: the lowest score that each calls.
        genes_called, called: rows at or above each.
        genes, rows: of the labels.
    """

    thresholds: Floats
    levels: Floats
    genes_called: Floats
    called: Floats
    genes: float
    rows: float

    @classmethod
    def of(cls, labels: NDArray[np.integer], scores: Floats) -> _Candidates:
        order = np.argsort(-scores, kind="stable")
        ranked, sorted_scores = labels[order].astype(np.float64), scores[order]
        # A threshold cannot fall between rows of equal score: only the last of them is a candidate.
        last = np.append(np.diff(sorted_scores) != 0, True)
        levels = sorted_scores[last]
        return cls(
            thresholds=np.append((levels[:-1] + levels[1:]) / 2, levels[-1]),
            levels=levels,
            genes_called=np.cumsum(ranked)[last],
            called=np.arange(1.0, len(ranked) + 1)[last],
            genes=float(ranked.sum()),
            rows=float(len(ranked)),
        )

    def nearest_to(self, neutral: float) -> Floats:
        """`neutral` where it calls the same rows; else the one halfway, which rounding of scores does not pass."""
        below = np.append(self.levels[1:], -np.inf)
        return np.where((below < neutral) & (neutral <= self.levels), neutral, self.thresholds)

    def mcc(self) -> Floats:
        """At each threshold."""
        whole = np.ones_like(self.called)
        return metrics_from_counts(self.genes_called, self.called, self.genes * whole, self.rows * whole)[0]

    def errors(self, reference: int) -> Floats:
        """Standard errors of the difference between each threshold's MCC and that of the threshold `reference`.

        Rows are of six kinds: genes and negatives that both thresholds call, one of them, or none. To the first order
        each row of a kind contributes the same number, and the error is that of their sum.
        """
        true, false = self.genes_called, self.called - self.genes_called
        missed, spared = self.genes - true, self.rows - self.genes - false
        calls_more = self.called > self.called[reference]
        variance_terms = []
        for counts, called_gain, other_gain in zip(
            ((true, missed), (false, spared)), *self._gains(true, false, missed, spared), strict=True
        ):
            called, other = counts
            between = np.where(calls_more, called_gain - other_gain[reference], other_gain - called_gain[reference])
            variance_terms += [
                (np.minimum(called, called[reference]), called_gain - called_gain[reference]),
                (np.abs(called - called[reference]), between),
                (np.minimum(other, other[reference]), other_gain - other_gain[reference]),
            ]
        total = sum(count * gain for count, gain in variance_terms)
        squares = sum(count * gain**2 for count, gain in variance_terms)
        return np.sqrt(np.maximum(squares - total**2 / self.rows, 0))

    def _gains(
        self, true: Floats, false: Floats, missed: Floats, spared: Floats
    ) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """What one more row adds to the MCC: called genes and negatives, then genes and negatives not called."""
        called, genes, negatives, left = true + false, true + missed, false + spared, missed + spared
        spread = np.sqrt(called) * np.sqrt(genes) * np.sqrt(negatives) * np.sqrt(left)
        half, ones = self.mcc() / 2, np.ones_like(called)

        def gain(opposite: Floats, one: Floats, other: Floats) -> Floats:
            # Where nothing or everything is called, the MCC is defined as 0 and has no slope.
            slope = safe_divide(opposite, spread) - half * (safe_divide(ones, one) + safe_divide(ones, other))
            return np.where(spread > 0, slope, 0.0)

        called_gains = gain(spared, called, genes), gain(-missed, called, negatives)
        other_gains = gain(-false, genes, left), gain(true, negatives, left)
        return called_gains, other_gains
