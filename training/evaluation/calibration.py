"""Whether probabilities mean what they say: reliability bins, expected calibration error and Brier score.

Bins of equal width (Naeini et al. 2015, Guo et al. 2017); Brier 1950. All of it is counting, linear in rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.metrics import wilson

BINS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Rows whose probabilities lie in [low, high), in the last bin [low, high].

    Attributes:
        low, high: the bin's edges.
        rows: how many.
        mean: of their probabilities.
        genes: the share of genes among them.
        interval: of that share, 95 % (Wilson 1927).
    """

    low: float
    high: float
    rows: int
    mean: float
    genes: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """How well the probabilities of one model are calibrated on one split.

    Attributes:
        bins: those that hold rows, ascending.
        error: expected calibration error: of each bin the distance from mean probability to share of genes, weighted by rows.
        brier: mean squared distance from probability to label.
    """

    bins: list[Bin]
    error: float
    brier: float


def calibration(labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> Calibration:
    """Hold probabilities against labels.

    Args:
        labels: 1 gene, 0 negative, shape (rows,), at least one.
        probabilities: 0 to 1, shape (rows,).
        bins: how many, of equal width.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    number = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    rows = np.bincount(number, minlength=bins)
    genes, total = (np.bincount(number, weights=one, minlength=bins) for one in (labels, probabilities))
    found = []
    for place in np.flatnonzero(rows).tolist():
        here, positive = int(rows[place]), float(genes[place])
        mean, share = float(total[place]) / here, positive / here
        found.append(Bin(place / bins, (place + 1) / bins, here, mean, share, wilson(positive, here)))
    error = sum(one.rows * abs(one.mean - one.genes) for one in found) / len(labels)
    return Calibration(found, error, float(np.mean((probabilities - labels) ** 2)))
