"""Numbers that the masks of dropout are drawn from: one for each row in an epoch, whoever computes it, and when."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipelines import fingerprint
from training.data.step_plan import Rows

_OTHER_STRAND = 0x2545F491
# The counter and the mixing of SplitMix64 (Steele et al. 2014, doi:10.1145/2660193.2660195).
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def keys_of_rows(seed: int, epoch: int, rows: Rows) -> NDArray[np.int32]:
    """The key of each row in an epoch: a function of (seed, epoch, row) and nothing else.

    Args:
        seed: of the run.
        epoch: from 0.
        rows: row numbers, shape (rows,).

    Returns:
        Shape (rows,).
    """
    first = fingerprint.seed(seed, "dropout", epoch) * _FIRST % (1 << 64)
    bits = rows.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(first)
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        bits = (bits ^ bits >> np.uint64(shift)) * np.uint64(factor)
    return (bits >> np.uint64(32)).astype(np.uint32).view(np.int32)


def keys_of_other_strand(keys: Tensor) -> Tensor:
    """Other keys for the same rows, as their other strand reads them; shape as given."""
    return keys ^ _OTHER_STRAND
