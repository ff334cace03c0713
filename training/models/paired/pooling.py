"""Pooling in which each strand's half of the vectors becomes one vector by the same rule."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.paired.layers import PairedLinear
from training.models.pooling import Pooling
from training.models.positions import Positions

STRANDS = 2


class PairedPooling(nn.Module):
    """One vector a row and strand; those of the reverse complement are the same two, exchanged.

    Args:
        kind: as of `Pooling`; `last` is the end of each strand, and weights of attention are each strand's own.
        width: of a position's vector; even.

    Attributes:
        width: of a strand's vector.
    """

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.score = PairedLinear(width, STRANDS) if kind == "attention" else None
        self.pooling = Pooling("mean" if kind == "attention" else kind, width, STRANDS)
        self.width = self.pooling.width // STRANDS
        self._parts = self.pooling.width // width

    def forward(self, positions: Positions) -> Tensor:
        """Shape (rows, strands, width)."""
        if self.score is not None:
            return self._attended(positions, self.score)
        by_part: Tensor = self.pooling(positions).unflatten(1, (self._parts, STRANDS, -1))
        return by_part.transpose(1, 2).flatten(2)

    @staticmethod
    def _attended(positions: Positions, score: PairedLinear) -> Tensor:
        mask = positions.mask[..., None]
        weights = score(positions.states).float().masked_fill(~mask, -torch.inf).softmax(1)
        states = positions.states.masked_fill(~mask, 0).unflatten(2, (STRANDS, -1))
        return (weights[..., None].to(states.dtype) * states).sum(1)
