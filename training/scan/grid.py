"""The positions of a scan's windows, and how their scores become a score of every few bases. Pure arithmetic.

Windows of one length start every `stride` bases, and one more is flush with the end of the sequence. The sequence is
cut into bins of `stride` bases; a bin's score is the mean over the windows that cover its middle. So a bin depends only
on its neighbourhood: any stretch of bins can be scored alone, with the result of a scan of the whole sequence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UsageError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """The windows of a scan.

    Attributes:
        window: bases of a window; shorter sequences have none.
        stride: bases from one window to the next, and of a bin.

    Raises:
        UsageError: a stride that would leave bases between windows.
    """

    window: int
    stride: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise UsageError(
                f"--stride {self.stride}: not from 1 to the window of {self.window} bases",
                "choose a quarter of the window, or leave it out",
            )

    def bins(self, length: int) -> int:
        """Number of bins of a sequence of `length` bases; the last bin may be shorter than the others."""
        return -(-length // self.stride)

    def edges(self, length: int, first: int, last: int) -> Integers:
        """Starts of the bins [first, last), and the end of the last of them, shape (bins + 1,)."""
        return np.minimum(np.arange(first, last + 1) * self.stride, length)

    def middles(self, length: int, first: int, last: int) -> Integers:
        """The base in the middle of each of the bins [first, last), shape (bins,)."""
        edges = self.edges(length, first, last)
        return (edges[:-1] + edges[1:] - 1) // 2

    def starts(self, length: int, first: int, last: int) -> Integers:
        """Starts of the windows that cover the middle of a bin of [first, last), ascending, shape (windows,)."""
        middles = self.middles(length, first, last)
        flush = length - self.window
        lowest, highest = max(int(middles[0]) - self.window + 1, 0), min(int(middles[-1]), flush)
        starts = np.arange(-(-lowest // self.stride), highest // self.stride + 1) * self.stride
        # The window flush with the end need not start at a multiple of the stride.
        if highest == flush and (len(starts) == 0 or starts[-1] != flush):
            starts = np.append(starts, flush)
        return starts

    def means(self, starts: Integers, scores: Floats, middles: Integers) -> Floats:
        """The score of each bin.

        Args:
            starts: starts of windows, ascending, shape (windows,); at least those that cover a middle.
            scores: scores of the windows, NaN for a window without one, shape (windows,).
            middles: middles of the bins, shape (bins,).

        Returns:
            Means over the windows with a score that cover each middle, NaN if there is none; shape (bins,).
        """
        known = ~np.isnan(scores)
        totals = np.append(0, np.cumsum(np.where(known, scores, 0)))
        counts = np.append(0, np.cumsum(known))
        low = np.searchsorted(starts, middles - self.window, side="right")
        high = np.searchsorted(starts, middles, side="right")
        number = counts[high] - counts[low]
        return np.divide(totals[high] - totals[low], number, out=np.full(len(middles), np.nan), where=number > 0)
