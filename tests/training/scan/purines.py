from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.genome import sequence


@dataclass(frozen=True)
class PurineShare:
    """Scores a sequence by its share of A and G: another figure on the other strand."""

    def __call__(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        return sequence.true_counts((codes == 0) | (codes == 2), lengths) / lengths

    def to(self, device: torch.device) -> PurineShare:
        return self
