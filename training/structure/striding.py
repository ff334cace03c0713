"""From bases to positions and back: a position is the vector of `stem_stride` adjacent bases."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import pad

from training.config import ModelConfig
from training.models.cnn import Convolution
from training.models.positions import Positions


class StridingStem(nn.Module):
    """A strided convolution whose kernel is centred on the bases of each position, and a rectifier.

    Args:
        config: channels of bases and of positions, kernel width and stride.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.stride = config.stem_stride
        self.before = (config.stem_width - config.stem_stride) // 2
        self.convolution = Convolution(
            config.base_channels, config.stem, config.stem_width, stride=config.stem_stride, padding=0
        )

    def forward(self, bases: Positions, padding: Tensor | None) -> Positions:
        """Positions of bases; one counts if its first base is real.

        Args:
            bases: vectors of width `base_channels`.
            padding: True after the end of a row, shape (rows, bases); None if all rows are equally long.
        """
        states, stride, kernel = bases.states, self.stride, self.convolution.kernel_size[0]
        if padding is not None:
            states = states.masked_fill(padding[..., None], 0)
        after = (states.shape[1] - 1) // stride * stride + kernel - self.before - states.shape[1]
        if self.before or after:
            states = pad(states, (0, 0, self.before, after))
        lengths, counts = (bases.lengths - 1) // stride + 1, (bases.counts - 1) // stride + 1
        return Positions(self.convolution(states).relu(), bases.mask[:, ::stride], lengths, counts)


class Expansion(nn.Module):
    """A linear map from a position to each of its bases.

    Args:
        width: of a position's vector.
        channels: of a base's.
        stride: bases of a position.
    """

    def __init__(self, width: int, channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.linear = nn.Linear(width, stride * channels)

    def forward(self, positions: Tensor, bases: int) -> Tensor:
        """Shape (rows, positions, width) to (rows, bases, channels)."""
        expanded: Tensor = self.linear(positions)
        return expanded.view(len(positions), positions.shape[1] * self.stride, -1)[:, :bases]
