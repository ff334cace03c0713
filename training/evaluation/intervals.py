"""95 % intervals of figures: of bootstrap samples, as cells of tables, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines import metrics
from pipelines.report import MISSING

Interval = tuple[float, float] | None
"""Low and high end; None where too few samples have the figure."""
Intervals = dict[str, Interval]


def of_samples(samples: NDArray[np.float64], names: Sequence[str]) -> Intervals:
    """The interval of each figure.

    Args:
        samples: shape (samples, figures).
        names: of the figures.
    """
    return {name: metrics.percentile_interval(samples[:, column]) for column, name in enumerate(names)}


def as_cell(interval: Interval) -> str:
    """The text of an interval in a table."""
    return MISSING if interval is None else f"{interval[0]:.3f}–{interval[1]:.3f}"


def difference_as_cells(value: float, interval: Interval) -> tuple[str, str]:
    """The texts of a difference and of its interval in a table."""
    return f"{value:+.3f}", MISSING if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def as_json(interval: Interval) -> list[float] | None:
    """An interval as JSON."""
    return None if interval is None else list(interval)


def all_as_json(intervals: Mapping[str, Interval]) -> dict[str, list[float] | None]:
    """The intervals of several figures as JSON."""
    return {name: as_json(interval) for name, interval in intervals.items()}
