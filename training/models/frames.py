"""A sequence read as several interleaved ones: with three of them, as its three reading frames.

The frames pass through the same weights side by side, each as much shorter, so the body does the same work in
fewer steps. What they give is joined by its mean and its maximum, which do not tell one frame from another: where the reading frame
of a window lies does not matter, that there is one does. Fickett (1982, doi:10.1093/nar/10.17.5303) and the open reading
frame both tell coding sequence by what repeats every third base.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from training.models.positions import Positions


def apart(found: Positions, frames: int) -> Positions:
    """Each row as `frames` rows: the first takes positions 0, frames, 2 x frames …, the second 1, frames + 1 ….

    A frame without a position (of a row with fewer than `frames`) has one of zeros.

    Args:
        found: rows of positions; states after the end of a row are zero.
        frames: how many.

    Returns:
        Rows x frames rows, those of a row side by side.
    """
    rows, positions, width = found.states.shape
    more = -positions % frames
    states = pad(found.states, (0, 0, 0, more)).view(rows, -1, frames, width).transpose(1, 2).flatten(0, 1)
    counts = np.maximum((found.counts[:, None] - np.arange(frames) - 1) // frames + 1, 1).reshape(-1)
    lengths = (found.lengths[:, None] - torch.arange(frames, device=states.device) - 1).div(
        frames, rounding_mode="floor"
    ) + 1
    lengths = lengths.clamp(min=1).reshape(-1)
    mask = torch.arange(states.shape[1], device=states.device) < lengths[:, None]
    return Positions(states, mask, lengths, counts)


def joined(pooled: Tensor, frames: int) -> Tensor:
    """Vectors of frames (rows x frames, width) to vectors of rows: mean and maximum, shape (rows, 2 x width)."""
    found = pooled.unflatten(0, (-1, frames))
    return torch.cat([found.mean(1), found.amax(1)], dim=1)
