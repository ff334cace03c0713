"""The blocks of `training.models.cnn` with weights shared between the strands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor, nn

from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage
from training.models.body import Body
from training.models.cnn import Cnn, dilation_of, padding_of
from training.models.dropout import Dropout
from training.models.paired.layers import (
    RECTIFIED,
    PairedConvolution,
    PairedLinear,
    PairedNorm,
    without_padding_,
)
from training.models.positions import Positions


class PairedCnn(Body):
    """The blocks of `Cnn` with paired weights; arguments as there."""

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__(config, width)
        self.enter = PairedLinear(width, config.hidden)
        self.layers = nn.ModuleList(
            PairedBlock(config.hidden, config.kernel_width, dilation_of(layer), config.dropout)
            for layer in range(config.layers)
        )
        self.norm = PairedNorm(config.hidden)

    @classmethod
    def memory_stages(cls, config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
        """As those of `Cnn`, with half of the weights."""
        for stage in Cnn.memory_stages(config, shape, width):
            yield replace(stage, weights=stage.weights / 2)

    def forward(self, positions: Positions) -> Positions:
        """Shape (rows, positions, width)."""
        padding = padding_of(positions.mask, positions.counts)
        states = self.enter(positions.states)
        for layer in self.layers:
            states = layer(states, padding, positions.dropout_keys)
        return positions.with_states(self.norm(states))


class PairedBlock(nn.Module):
    """A norm, a dilated convolution and a linear map, added to the input."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = PairedNorm(width)
        self.convolution = PairedConvolution(width, width, kernel, dilation=dilation, gain=RECTIFIED)
        self.join = PairedLinear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, padding: Tensor | None, keys: Tensor | None) -> Tensor:
        """States of shape (rows, positions, width); padding as in `PairedResidual`, keys as in `Dropout`."""
        normal = without_padding_(self.norm(states), padding).relu_()
        joined: Tensor = self.dropout(self.join(self.convolution(normal).relu_()), keys)
        return states + joined
