"""A sequence read as several interleaved ones: with three of them, as its three reading frames.

The frames pass through the same weights side by side, each as many times shorter, so that the body does the same work
in fewer steps. Their outputs are joined by mean and maximum, which do not depend on the order of the frames: which
reading frame a window begins in does not matter, only that there is one. Fickett (1982, doi:10.1093/nar/10.17.5303) and
open reading frames both recognise coding sequence by what repeats every third base.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from training.models.positions import Positions


def split_frames(rows_in: Positions, frames: int) -> Positions:
    """Each row as `frames` rows: the first takes positions 0, frames, 2 x frames …, the second 1, frames + 1 ….

    A frame without a position (of a row with fewer than `frames`) has one of zeros.

    Args:
        rows_in: rows of positions; states after the end of a row are zero.
        frames: how many.

    Returns:
        Rows x frames rows; the frames of a row are adjacent.
    """
    rows, positions, width = rows_in.states.shape
    padding = -positions % frames
    states = pad(rows_in.states, (0, 0, 0, padding)).view(rows, -1, frames, width).transpose(1, 2).flatten(0, 1)
    keys = rows_in.dropout_keys
    if keys is not None:
        keys = pad(keys, (0, padding)).view(rows, -1, frames).transpose(1, 2).flatten(0, 1)
    counts = np.maximum((rows_in.counts[:, None] - np.arange(frames) - 1) // frames + 1, 1).reshape(-1)
    lengths = (rows_in.lengths[:, None] - torch.arange(frames, device=states.device) - 1).div(
        frames, rounding_mode="floor"
    ) + 1
    lengths = lengths.clamp(min=1).reshape(-1)
    mask = torch.arange(states.shape[1], device=states.device) < lengths[:, None]
    return Positions(states, mask, lengths, counts, keys)


def join_frames(pooled: Tensor, frames: int) -> Tensor:
    """Mean and maximum over the frames of each row: (rows x frames, width) to (rows, 2 x width)."""
    by_row = pooled.unflatten(0, (-1, frames))
    return torch.cat([by_row.mean(1), by_row.amax(1)], dim=1)
