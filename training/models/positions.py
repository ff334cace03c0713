"""What passes between the parts of a model: a vector for each position of each row, and which of them are real."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Positions:
    """Vectors of sequences, padded to the longest.

    Attributes:
        states: shape (rows, positions, width); what stands after the end of a row is of no consequence.
        mask: True where a position is real, shape (rows, positions).
        lengths: real positions of each row, int64, shape (rows,).
        total: their sum, known on the host.
    """

    states: Tensor
    mask: Tensor
    lengths: Tensor
    total: int

    def with_states(self, states: Tensor) -> Positions:
        """Other vectors at the same positions."""
        return replace(self, states=states)
