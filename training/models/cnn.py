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
from training.models.positions import Positions

DILATIONS = 8
"""Dilations double from layer to layer, 1 to 128, and then begin again."""


class Convolution(nn.Conv1d):
    """A convolution that keeps the number of positions, or divides it by a stride; channels last.

    Args:
        width: of a position's vector that comes in.
        channels: of one that goes out.
        kernel: odd number of positions, unless `padding` is given.
        stride: positions from one output to the next.
        dilation: positions from one weight to the next.
        padding: zeros before and after each row; None: what keeps an output centred on its position.
    """

    def __init__(
        self, width: int, channels: int, kernel: int, *, stride: int = 1, dilation: int = 1, padding: int | None = None
    ) -> None:
        self.around = dilation * (kernel // 2) if padding is None else padding
        super().__init__(width, channels, kernel, stride=stride, dilation=dilation, padding=self.around)

    def forward(self, states: Tensor) -> Tensor:
        """Shape (rows, positions, width) to (rows, positions / stride, channels)."""
        # As an image of height 1: torch has no one-dimensional convolution that takes channels last.
        image = states.transpose(1, 2).unsqueeze(2)
        stride, dilation = (1, self.stride[0]), (1, self.dilation[0])
        out = conv2d(image, self.weight.unsqueeze(2), self.bias, stride, (0, self.around), dilation)
        return out.squeeze(2).transpose(1, 2)


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
            states = layer(states, padding)
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
        self.convolution = Convolution(width, width, kernel, dilation=dilation)
        self.join = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, padding: Tensor | None) -> Tensor:
        """States of shape (rows, positions, width); padding as in `rectified`."""
        convolved = torch.relu(self.convolution(rectified(self.norm, states, padding)))
        joined: Tensor = self.dropout(self.join(convolved))
        return states + joined


def dilation_of(layer: int) -> int:
    """Dilation of a layer, from 0."""
    return 1 << layer % DILATIONS
