"""Calls out of scores, by hysteresis: a stretch at or above a low threshold that somewhere reaches a high one.

Two thresholds keep a call whole where the score dips and leave out what never convinces (Canny 1986,
doi:10.1109/TPAMI.1986.4767851). Where both strands have a score, a bin is called on the strand that has the higher one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UsageError
from training.scan.grid import Grid
from training.scan.scores import NONE, SCALE, STRANDS, Scores, level

LOW, HIGH = 0.2, 0.5


@dataclass(frozen=True)
class Thresholds:
    """When a stretch is a call.

    Attributes:
        high: score that one of its bins reaches.
        low: score that none of its bins is below.
        shortest: bases that it has at least.

    Raises:
        UsageError: not 0 < low <= high <= 1, or a negative length.
    """

    high: float = HIGH
    low: float = LOW
    shortest: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high <= 1:
            raise UsageError(f"--low {self.low:g} and --high {self.high:g}: not 0 < low <= high <= 1", "choose others")
        if self.shortest < 0:
            raise UsageError(f"--min-length {self.shortest}: below 0", "choose another")


@dataclass(frozen=True)
class Call:
    """A stretch called a gene.

    Attributes:
        start, end: 0-based half-open.
        strand: + or -.
        mean: score, the mean over its bases, 0 to 1.
        peak: its highest score.
    """

    start: int
    end: int
    strand: str
    mean: float
    peak: float


def calls(scores: Scores, length: int, grid: Grid, thresholds: Thresholds) -> list[Call]:
    """The calls of one sequence, by start, end and strand.

    Args:
        scores: of all its bins on both strands, shape (2, bins).
        length: its bases.
        grid: window and stride.
        thresholds: when a stretch is a call.
    """
    edges = grid.edges(length, 0, scores.shape[1])
    found = []
    for own, strand in enumerate(STRANDS):
        # A tie goes to both strands.
        won = np.where(
            (scores[own] != NONE) & ((scores[own] >= scores[1 - own]) | (scores[1 - own] == NONE)), scores[own], 0
        )
        found += _of_strand(won, strand, edges, thresholds)
    return sorted(found, key=lambda call: (call.start, call.end, call.strand))


def _of_strand(values: NDArray[np.uint16], strand: str, edges: NDArray[np.int64], thresholds: Thresholds) -> list[Call]:
    found = []
    for first, last in stretches(values, level(thresholds.low), level(thresholds.high)).tolist():
        start, end = int(edges[first]), int(edges[last])
        if end - start >= thresholds.shortest:
            mine = values[first:last]
            mean = float(mine @ np.diff(edges[first : last + 1])) / (end - start)
            found.append(Call(start, end, strand, mean / SCALE, int(mine.max()) / SCALE))
    return found


def stretches(values: NDArray[np.integer[Any]], low: int, high: int) -> NDArray[np.int64]:
    """Maximal runs of values of at least `low` with one of at least `high`, as (runs, 2) of first and last + 1."""
    bounds = np.flatnonzero(np.diff(values >= low, prepend=False, append=False)).reshape(-1, 2)
    high_at = np.flatnonzero(values >= high)
    reached = np.searchsorted(high_at, bounds)
    return bounds[reached[:, 1] > reached[:, 0]]
