"""Calibration of probabilities: reliability bins, expected calibration error and Brier score.

Bins of equal width (Naeini et al. 2015, Guo et al. 2017); Brier 1950. Everything is counting, linear in rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.metrics import wilson_interval

BINS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Rows whose probabilities lie in [low, high), or in [low, high] for the last bin.

    Attributes:
        low, high: edges of the bin.
        rows: number of rows.
        mean: mean of their probabilities.
        genes: share of genes among them.
        interval: 95 % interval of that share (Wilson 1927).
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
        bins: the bins that hold rows, ascending.
        error: expected calibration error: for each bin the distance between mean probability and share of genes,
            weighted by rows.
        brier: mean squared distance between probability and label.
    """

    bins: list[Bin]
    error: float
    brier: float


def calibration(labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> Calibration:
    """Compare probabilities with labels, bin by bin.

    Args:
        labels: 1 gene, 0 negative, shape (rows,), at least one.
        probabilities: 0 to 1, shape (rows,).
        bins: number of bins of equal width.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    # A probability of 1 belongs to the last bin, not to one of its own.
    bin_of_row = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    rows_by_bin = np.bincount(bin_of_row, minlength=bins)
    genes, totals = (np.bincount(bin_of_row, weights=values, minlength=bins) for values in (labels, probabilities))
    filled = []
    for number in np.flatnonzero(rows_by_bin).tolist():
        rows, positive = int(rows_by_bin[number]), int(genes[number])
        mean, share = float(totals[number]) / rows, positive / rows
        low, high = number / bins, (number + 1) / bins
        filled.append(Bin(low, high, rows, mean, share, wilson_interval(positive, rows)))
    error = sum(bin_.rows * abs(bin_.mean - bin_.genes) for bin_ in filled) / len(labels)
    return Calibration(filled, error, float(np.mean((probabilities - labels) ** 2)))
