"""Which sequences make an optimizer step, and how a step is cut to fit memory and shared by workers.

A step is a function of (lengths, global batch size, seed, epoch) alone: rows are shuffled, sorted by length within
windows of `WINDOW` steps so that a step's lengths are alike, and the steps are shuffled again. Budget and workers only
cut a step; each row appears exactly once an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from training.data.shuffle import shuffle

WINDOW = 64
Rows = NDArray[np.int64]
_HALF = np.uint64(32)
_ROWS = np.uint64((1 << 32) - 1)
_LENGTHS = ~_ROWS
# Rows that are sorted at once, in windows: what a processor's cache holds.
_BLOCK = 1 << 17


@dataclass(frozen=True)
class EpochPlan:
    """The steps of an epoch: row numbers of each step, longest row first.

    Attributes:
        order: all rows, in steps one after another, shape (rows,), uint32.
        numbers: which of those steps comes first, second and so on, shape (steps,), uint32.
        global_batch_size: rows of a step; the last one of `order` may have fewer.
    """

    order: NDArray[np.uint32]
    numbers: NDArray[np.uint32]
    global_batch_size: int

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, step: int) -> Rows:
        first = int(self.numbers[step]) * self.global_batch_size
        return self.order[first : first + self.global_batch_size].astype(np.int64)

    def __iter__(self) -> Iterator[Rows]:
        return (self[step] for step in range(len(self)))

    def remaining(self, start: int) -> Iterator[tuple[int, Rows]]:
        """Number and rows of each step from `start` on."""
        return ((step, self[step]) for step in range(start, len(self)))


def plan_epoch(lengths: NDArray[np.int64], global_batch_size: int, seed: int, epoch: int) -> EpochPlan:
    """The steps of an epoch: about 0.05 µs and 4 bytes a row, and 12 bytes a row while they are planned.

    Args:
        lengths: tokens of each row, shape (rows,), fewer than 2^32 rows.
        global_batch_size: rows in a step; one step may be smaller.
        seed: of the run.
        epoch: from 0.
    """
    generator = np.random.default_rng(fingerprint.seed(seed, "epoch", epoch))
    # A row's number, and above it what its length lacks of the longest one: sorted, the longest comes first.
    rows = np.empty(len(lengths), np.uint64)
    np.subtract(lengths.max(initial=0), lengths, out=rows, casting="unsafe")
    rows <<= _HALF
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        block |= np.arange(first, first + len(block), dtype=np.uint64)
    shuffle(rows, generator)
    order = np.empty(len(rows), np.uint32)
    window = global_batch_size * WINDOW
    for first, last, width in _blocks(len(rows), window):
        block = rows[first:last].reshape(-1, width)
        # Rows of the same length stay as they were shuffled.
        ranks = block & _LENGTHS | np.arange(width, dtype=np.uint64)
        ranks.sort(axis=1)
        ranks &= _ROWS
        order[first:last] = np.take_along_axis(block, ranks.view(np.int64), axis=1).ravel() & _ROWS
    del rows
    numbers = np.arange(-(-len(order) // global_batch_size), dtype=np.uint64)
    shuffle(numbers, generator)
    return EpochPlan(order, numbers.astype(np.uint32), global_batch_size)


def _blocks(rows: int, window: int) -> Iterator[tuple[int, int, int]]:
    """Ranges of rows, each of several whole windows but for the last window, and the rows of a window in it."""
    whole = rows // window * window
    size = max(1, _BLOCK // window) * window
    for first in range(0, whole, size):
        yield first, min(first + size, whole), window
    if whole < rows:
        yield whole, rows, rows - whole


def share(rows: Rows, workers: int, rank: int) -> Rows:
    """The rows of a step that one worker takes: every `workers`-th, so that lengths are shared evenly."""
    return rows[rank::workers]


def micro_batches(rows: Rows, lengths: NDArray[np.int64], token_budget: int) -> list[Rows]:
    """Cut rows, longest first, so that longest x count stays within the budget; a longer row stands alone."""
    cut: list[Rows] = []
    first = 0
    while first < len(rows):
        count = max(1, token_budget // max(1, int(lengths[rows[first]])))
        cut.append(rows[first : first + count])
        first += count
    return cut


def scoring_batches(lengths: NDArray[np.int64], token_budget: int) -> list[Rows]:
    """All rows, longest first, in batches within the budget; scores do not depend on the order."""
    return micro_batches(np.argsort(-lengths, kind="stable"), lengths, token_budget)
