"""What passes between the parts of a model: a vector for each position of each row, and which positions are real."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Positions:
    """Vectors of sequences, padded to the longest.

    Attributes:
        states: shape (rows, positions, width); values after the end of a row have no effect.
        mask: True where a position is real, shape (rows, positions).
        lengths: real positions of each row, int64, shape (rows,).
        counts: the lengths on the host, shape (rows,).
        dropout_keys: what masks of dropout are drawn from, int32, shape (rows, positions); None: from torch's random
            state.
    """

    states: Tensor
    mask: Tensor
    lengths: Tensor
    counts: NDArray[np.int64]
    dropout_keys: Tensor | None = None

    @property
    def total(self) -> int:
        """Real positions of all rows."""
        return int(self.counts.sum())

    def with_states(self, states: Tensor) -> Positions:
        """Other vectors at the same positions."""
        return replace(self, states=states)
