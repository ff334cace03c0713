"""From a vector for each position to one for each row: mean, max, last or attention, or mean and max side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.models.positions import Positions


class Pooling(nn.Module):
    """One vector a row.

    Args:
        kind: `mean`, `max`, `mean+max`, `last` or `attention` (a weighted mean whose weights are learnt).
        width: of a position's vector.
        directions: 2 if the second half of a vector was read from the end: its last position is the first.

    Attributes:
        width: of a row's vector.
    """

    def __init__(self, kind: str, width: int, directions: int) -> None:
        super().__init__()
        self.kind, self.directions = kind, directions
        self.width = 2 * width if kind == "mean+max" else width
        self.score = nn.Linear(width, 1) if kind == "attention" else None

    def forward(self, found: Positions) -> Tensor:
        """Shape (rows, width)."""
        states, mask = found.states, found.mask
        if self.score is not None:
            scores = self.score(states).squeeze(-1).float().masked_fill(~mask, -torch.inf)
            return (scores.softmax(1)[..., None].to(states.dtype) * _zeroed(found)).sum(1)
        if self.kind == "last":
            return self._last(found)
        parts = []
        if "mean" in self.kind:
            parts.append(_zeroed(found).sum(1) / found.lengths[:, None])
        if "max" in self.kind:
            parts.append(states.masked_fill(~mask[..., None], -torch.inf).amax(1))
        return torch.cat(parts, dim=1)

    def _last(self, found: Positions) -> Tensor:
        states = found.states
        last = states[torch.arange(len(states), device=states.device), found.lengths - 1]
        if self.directions == 1:
            return last
        half = states.shape[2] // 2
        return torch.cat([last[:, :half], states[:, 0, half:]], dim=1)


def _zeroed(found: Positions) -> Tensor:
    return found.states.masked_fill(~found.mask[..., None], 0)
