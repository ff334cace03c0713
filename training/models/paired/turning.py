"""The other strand of a batch: the order of its positions, and its size."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from training.cost.shape import Shape
from training.models.positions import Positions


def turning(positions: Positions) -> Tensor:
    """The index of each position when rows are reversed within their length, shape (rows x positions,)."""
    rows, longest = positions.mask.shape
    place = torch.arange(longest, device=positions.mask.device)
    other = torch.where(positions.mask, positions.lengths[:, None] - 1 - place, place)
    return (other + longest * torch.arange(rows, device=place.device)[:, None]).reshape(-1)


def of_both_strands(shape: Shape) -> Shape:
    """The shape of a batch with a row for each strand."""
    return replace(shape, rows=2 * shape.rows)
