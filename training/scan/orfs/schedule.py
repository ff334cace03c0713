"""The genes of a sequence among frames that overlap: the set with the largest sum of weights.

Weighted interval scheduling over both strands (Kleinberg and Tardos, Algorithm Design, 6.1): frames are ordered by
their ends, and each is either left out or joins the best set of those that end before it begins, but for a few bases.
Costs a sort and one step a frame.
"""

from __future__ import annotations

import numpy as np

from pipelines.gene_models.open_frames import Integers
from training.scan.orfs.settings import Floats


def best_set(starts: Integers, ends: Integers, weights: Floats, overlap: int) -> Integers:
    """Choose intervals of which no two share more than `overlap` bases, with the largest sum of weights.

    Args:
        starts, ends: 0-based half-open, all longer than `overlap`, shape (intervals,).
        weights: shape (intervals,); those not above 0 are never chosen.
        overlap: bases that two may share.

    Returns:
        Indices of the chosen, in order of their ends.
    """
    order = np.lexsort((starts, ends))
    order = order[weights[order] > 0]
    # How many of those before it an interval can follow.
    compatible = np.searchsorted(ends[order], starts[order] + overlap, side="right").tolist()
    best, taken = [0.0], []
    for number, weight in enumerate(weights[order].tolist()):
        with_it = best[compatible[number]] + weight
        taken.append(with_it > best[number])
        best.append(max(with_it, best[number]))
    chosen, number = [], len(order)
    while number:
        number -= 1
        if taken[number]:
            chosen.append(number)
            number = compatible[number]
    return order[chosen[::-1]]
