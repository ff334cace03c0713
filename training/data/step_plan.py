"""Which sequences make an optimizer step, and how a step is cut to fit memory and shared by workers.

A step is a function of (lengths, global batch size, seed, epoch) alone: rows are shuffled, sorted by length within
windows of `WINDOW` steps so that a step's lengths are alike, and the steps are shuffled again. Budget and workers only
cut a step; each row appears exactly once an epoch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint

WINDOW = 64
Rows = NDArray[np.int64]


def plan_epoch(lengths: NDArray[np.int64], global_batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """The steps of an epoch.

    Args:
        lengths: tokens of each row, shape (rows,).
        global_batch_size: rows in a step; one step may be smaller.
        seed: of the run.
        epoch: from 0.

    Returns:
        Row numbers of each step, longest row first.
    """
    generator = np.random.default_rng(fingerprint.seed(seed, "epoch", epoch))
    order = generator.permutation(len(lengths))
    steps: list[Rows] = []
    for first in range(0, len(order), global_batch_size * WINDOW):
        window = order[first : first + global_batch_size * WINDOW]
        window = window[np.argsort(-lengths[window], kind="stable")]
        steps += [window[start : start + global_batch_size] for start in range(0, len(window), global_batch_size)]
    return [steps[number] for number in generator.permutation(len(steps))]


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
