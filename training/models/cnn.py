"""Dilated residual convolutions along a sequence (van den Oord et al. 2016, arXiv:1609.03499).

Vectors lie channels last, (rows, positions, width), which is how oneDNN and cuDNN convolve fastest: with 32 channels
oneDNN reaches twice the speed of a `Conv1d` over (rows, width, positions). Norms are over the numbers of one position,
and what lies after the end of a row is zero in every convolution, so that a row's result depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d

from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import FLOAT, Shape
from training.cost.stage import Stage
from training.models.body import Body
from training.models.dropout import Dropout
from training.models.positions import Positions

DILATIONS = 8
"""Dilations double from layer to layer, 1 to 128, and then begin again."""


def convolve(states: Tensor, weight: Tensor, bias: Tensor | None, stride: int, dilation: int, padding: int) -> Tensor:
    """A convolution over vectors that lie channels last.

    Args:
        states: shape (rows, positions, width).
        weight: shape (channels, width, kernel).
        bias: shape (channels,).
        stride: positions from one output to the next.
        dilation: positions from one weight to the next.
        padding: zeros before and after each row.

    Returns:
        Shape (rows, positions of the output, channels).
    """
    # As an image of height 1: torch has no one-dimensional convolution that takes channels last.
    image = states.transpose(1, 2).unsqueeze(2)
    out = conv2d(image, weight.unsqueeze(2), bias, (1, stride), (0, padding), (1, dilation))
    return out.squeeze(2).transpose(1, 2)


class Convolution(nn.Conv1d):
    """A dilated convolution that keeps the number of positions, channels last.

    Args:
        width: of a position's vector, before and after.
        kernel: odd number of positions.
        dilation: positions from one weight to the next.
    """

    def __init__(self, width: int, kernel: int, dilation: int) -> None:
        around = dilation * (kernel // 2)
        super().__init__(width, width, kernel, dilation=dilation, padding=around)
        self.around, self.step = around, dilation

    def forward(self, states: Tensor) -> Tensor:
        """Shape (rows, positions, width), as given."""
        return convolve(states, self.weight, self.bias, 1, self.step, self.around)


def rectified(norm: nn.LayerNorm, states: Tensor, padding: Tensor | None) -> Tensor:
    """Normalised vectors without their negative numbers, and zero where `padding`, shape (rows, positions), is True."""
    normal: Tensor = norm(states)
    # In place: only the result is saved for the backward pass, with and without padding.
    if padding is not None:
        normal = normal.masked_fill_(padding[..., None], 0)
    return normal.relu_()


def padding_of(mask: Tensor, counts: NDArray[np.int64]) -> Tensor | None:
    """True after the end of a row, shape (rows, positions); None if all rows are equally long.

    Args:
        mask: True where a position is real, shape (rows, positions).
        counts: real positions of each row, on the host, shape (rows,).
    """
    return None if int(counts.sum()) == mask.numel() else ~mask


class Cnn(Body):
    """Residual blocks of a dilated convolution and a linear map.

    Args:
        config: `hidden` is the width, `layers` the number of blocks and `kernel_width` that of their convolutions.
        width: of a position's vector that comes in.
    """

    library_bytes: ClassVar[float] = 36e6

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__(config, width)
        self.enter = nn.Linear(width, config.hidden)
        self.layers = nn.ModuleList(
            Block(config.hidden, config.kernel_width, dilation_of(layer), config.dropout)
            for layer in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.hidden)

    def forward(self, positions: Positions) -> Positions:
        """Shape (rows, positions, width)."""
        padding = padding_of(positions.mask, positions.counts)
        states = self.enter(positions.states)
        for layer in self.layers:
            states = layer(states, padding, positions.dropout_keys)
        return positions.with_states(self.norm(states))

    @classmethod
    def memory_stages(cls, config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
        """The input projection, a stage for each block, and the last norm."""
        hidden, unit = config.hidden, shape.states(config.hidden)
        inputs = shape.states(width)
        statistics = shape.tensor(2 * FLOAT * shape.padded_positions)
        noise = unit if config.dropout else NOTHING
        yield Stage(
            "input projection",
            weights=FLOAT * (width + 1) * hidden,
            saved=inputs if config.stem else NOTHING,
            backward=unit + inputs,
        )
        for layer in range(config.layers):
            yield Stage(
                f"block {layer + 1}",
                weights=FLOAT * (config.kernel_width * hidden * hidden + hidden * hidden + 4 * hidden),
                saved=unit * 3 + statistics + noise,
                forward=unit * 2,
                backward=unit * 3,
            )
        yield Stage("norm", weights=2 * FLOAT * hidden, saved=unit + statistics, forward=unit, backward=unit * 2)


class Block(nn.Module):
    """A norm, a dilated convolution and a linear map, added to the input."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.convolution = Convolution(width, kernel, dilation)
        self.join = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, padding: Tensor | None, keys: Tensor | None) -> Tensor:
        """States of shape (rows, positions, width); padding as in `rectified`, keys as in `Dropout`."""
        convolved = torch.relu(self.convolution(rectified(self.norm, states, padding)))
        joined: Tensor = self.dropout(self.join(convolved), keys)
        return states + joined


def dilation_of(layer: int) -> int:
    """Dilation of a layer, from 0."""
    return 1 << layer % DILATIONS
