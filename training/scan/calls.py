"""What decides a call: hysteresis, a stretch at or above a low threshold that somewhere reaches a high one.

Two thresholds keep a call whole where the score dips and leave out what never reaches the high one (Canny 1986,
doi:10.1109/TPAMI.1986.4767851). If both strands have a score, a bin is called on the strand with the higher one; a tie
is called on both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UsageError
from training.scan.grid import Grid
from training.scan.scores import NO_SCORE, SCALE, STRANDS, Scores, threshold_level

# The best pair on validation chromosomes of S. cerevisiae: the mean over windows is about 0.2 at the edge of a gene.
LOW, HIGH = 0.2, 0.5


@dataclass(frozen=True)
class Thresholds:
    """When a stretch is a call.

    Attributes:
        high: score that at least one of its bins reaches.
        low: score that each of its bins reaches.
        shortest: minimum length in bases.

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
        mean: mean score over its bases, 0 to 1.
        peak: its highest score.
    """

    start: int
    end: int
    strand: str
    mean: float
    peak: float


def call_genes(scores: Scores, length: int, grid: Grid, thresholds: Thresholds) -> list[Call]:
    """Call the genes of one sequence, sorted by start, end and strand.

    Args:
        scores: scores of all its bins on both strands, shape (2, bins).
        length: number of its bases.
        grid: window and stride.
        thresholds: when a stretch is a call.
    """
    edges = grid.edges(length, 0, scores.shape[1])
    calls = []
    for number, strand in enumerate(STRANDS):
        own, other = scores[number], scores[1 - number]
        # `>=`, not `>`: a bin with the same score on both strands is called on both, rather than on neither.
        wins = (own != NO_SCORE) & ((own >= other) | (other == NO_SCORE))
        calls += _call_strand(np.where(wins, own, 0), strand, edges, thresholds)
    return sorted(calls, key=lambda call: (call.start, call.end, call.strand))


def _call_strand(
    values: NDArray[np.uint16], strand: str, edges: NDArray[np.int64], thresholds: Thresholds
) -> list[Call]:
    """The calls of one strand.

    Args:
        values: scores of the bins, 0 where the strand has none or loses to the other, shape (bins,).
        strand: + or -.
        edges: of the bins in bases, shape (bins + 1,).
        thresholds: when a stretch is a call.
    """
    calls = []
    low, high = threshold_level(thresholds.low), threshold_level(thresholds.high)
    for first, last in hysteresis_runs(values, low, high).tolist():
        start, end = int(edges[first]), int(edges[last])
        if end - start >= thresholds.shortest:
            run = values[first:last]
            mean = float(run @ np.diff(edges[first : last + 1])) / (end - start)
            calls.append(Call(start, end, strand, mean / SCALE, int(run.max()) / SCALE))
    return calls


def hysteresis_runs(values: NDArray[np.integer[Any]], low: int, high: int) -> NDArray[np.int64]:
    """Find maximal runs of values of at least `low` with at least one of at least `high`.

    Returns:
        First and last + 1 of each run, shape (runs, 2).
    """
    runs = np.flatnonzero(np.diff(values >= low, prepend=False, append=False)).reshape(-1, 2)
    high_at = np.flatnonzero(values >= high)
    # How many high values come before the start and before the end of each run: they differ if one is within.
    high_before = np.searchsorted(high_at, runs)
    return runs[high_before[:, 1] > high_before[:, 0]]
