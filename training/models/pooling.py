"""From a vector for each position to one for each row: mean, max, last or attention, or mean and max side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.cost.amount import NOTHING
from training.cost.shape import FLOAT, ID, Shape
from training.cost.stage import Stage
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

    def forward(self, positions: Positions) -> Tensor:
        """Shape (rows, width)."""
        states, mask = positions.states, positions.mask
        if self.score is not None:
            scores = self.score(states).squeeze(-1).float().masked_fill(~mask, -torch.inf)
            return (scores.softmax(1)[..., None].to(states.dtype) * _zero_padding(positions)).sum(1)
        if self.kind == "last":
            return self._last(positions)
        parts = []
        if "mean" in self.kind:
            parts.append(_zero_padding(positions).sum(1) / positions.lengths[:, None])
        if "max" in self.kind:
            parts.append(states.masked_fill(~mask[..., None], -torch.inf).amax(1))
        return torch.cat(parts, dim=1)

    def _last(self, positions: Positions) -> Tensor:
        states = positions.states
        last = states[torch.arange(len(states), device=states.device), positions.lengths - 1]
        if self.directions == 1:
            return last
        half = states.shape[2] // 2
        return torch.cat([last[:, :half], states[:, 0, half:]], dim=1)


def _zero_padding(positions: Positions) -> Tensor:
    return positions.states.masked_fill(~positions.mask[..., None], 0)


def memory_stage(kind: str, shape: Shape, width: int, directions: int, logits: int = 1, *, time_major: bool) -> Stage:
    """Memory of pooling and the logits.

    Args:
        kind: of pooling.
        shape: of the batch that the body read.
        width: of a position's vector.
        directions: of the body.
        logits: of a row.
        time_major: whether the body returns a transposed view, as in `Body`.
    """
    numbers = shape.padded_positions * width
    states = shape.states(width)
    weights = FLOAT * (width * (2 if kind == "mean+max" else 1) + 1) * logits
    # A recurrent layer in one direction saves its output itself.
    held = NOTHING if time_major and directions == 1 else states
    saved, forward, backward = shape.tensor(shape.padded_positions), NOTHING, states
    if kind == "attention":
        weights += FLOAT * (width + 1)
        saved = saved + states * 2 + shape.tensor(3 * FLOAT * shape.padded_positions)
        # What is saved includes the body's output, unless that is a view, of which the scores save a copy.
        held = held if time_major else NOTHING
        forward, backward = states, states * 2
    elif kind == "last":
        backward = states * directions
    elif "max" in kind:
        saved = saved + states
        # The gradient of a maximum looks the positions up by whole numbers of eight bytes.
        backward = shape.tensor(numbers) + max(shape.tensor(ID * numbers), states * 2)
    else:
        forward = states
    return Stage("pooling", weights=weights, saved=saved, held=held, forward=forward, backward=backward)
