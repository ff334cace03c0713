"""From bases to positions and back: a position is the vector of `stem_stride` adjacent bases."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from training.config import ModelConfig
from training.models.paired.layers import RECTIFIED, PairedConvolution, exchanged
from training.models.positions import Positions


class StridingStem(nn.Module):
    """A strided convolution whose kernel is centred on the bases of each position, and a rectifier.

    Args:
        config: channels of bases and of positions, kernel width and stride.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.before = (config.stem_width - config.stem_stride) // 2
        self.convolution = PairedConvolution(
            config.base_channels,
            config.stem,
            config.stem_width,
            stride=config.stem_stride,
            padding=0,
            gain=RECTIFIED,
        )

    def forward(self, bases: Positions) -> Positions:
        """Positions of bases; one counts if its first base is real. What lies after the end of a row is zero."""
        states, stride, kernel = bases.states, self.convolution.stride, self.convolution.kernel
        after = (states.shape[1] - 1) // stride * stride + kernel - self.before - states.shape[1]
        if self.before or after:
            states = pad(states, (0, 0, self.before, after))
        lengths, counts = (bases.lengths - 1) // stride + 1, (bases.counts - 1) // stride + 1
        keys = None if bases.dropout_keys is None else bases.dropout_keys[:, ::stride]
        return Positions(self.convolution(states).relu_(), bases.mask[:, ::stride], lengths, counts, keys)


class Expansion(nn.Module):
    """A linear map from a position to each of its bases; the weights of the first base turned are those of the last.

    Args:
        width: of a position's vector; even.
        channels: of a base's; even.
        stride: bases of a position.
    """

    def __init__(self, width: int, channels: int, stride: int) -> None:
        super().__init__()
        bound = math.sqrt(3 / width)
        self.weight = nn.Parameter(torch.empty(stride, channels // 2, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(stride, channels // 2))

    def forward(self, positions: Tensor, bases: int) -> Tensor:
        """Shape (rows, positions, width) to (rows, bases, channels)."""
        weight = torch.cat([self.weight, exchanged(self.weight).flip(0)], 1).flatten(0, 1)
        bias = torch.cat([self.bias, self.bias.flip(0)], 1).flatten()
        expanded = linear(positions, weight, bias)
        return expanded.view(len(positions), positions.shape[1] * len(self.weight), -1)[:, :bases]
