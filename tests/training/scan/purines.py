from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.genome import sequence


@dataclass(frozen=True)
class PurineShare:
    """Scores a sequence by its share of A and G: another figure on the other strand."""

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        return sequence.true_counts((codes == 0) | (codes == 2), lengths) / lengths

    def to(self, device: torch.device) -> PurineShare:
        return self


@dataclass(frozen=True)
class FailsAtN(PurineShare):
    """Scores what comes before the first window with an N."""

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        if (codes > 3).any():
            raise InputError("g.fa: the disk is gone", "put it back")
        return super().__call__(codes, lengths)
