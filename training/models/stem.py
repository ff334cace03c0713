"""A strided convolution over tokens, after which sequences are as many times shorter. Padding stays zero."""

from __future__ import annotations

import torch
from torch import nn

from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import FLOAT, Shape
from training.cost.stage import Stage
from training.models.positions import Positions

# Channels of a block in oneDNN's layout of images.
LANES = 16


class Stem(nn.Module):
    """Convolution and rectifier.

    Args:
        config: channels, kernel width and stride of the convolution.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.stride = config.stem_stride
        self.convolution = nn.Conv1d(
            config.embedding, config.stem, config.stem_width, stride=config.stem_stride, padding=config.stem_width // 2
        )

    def forward(self, tokens: Positions) -> Positions:
        """As many times fewer positions as the stride; token vectors after the end of a row have to be zero."""
        positions = (tokens.mask.shape[1] - 1) // self.stride + 1
        mask = tokens.mask[:, :: self.stride]
        out = torch.relu(self.convolution(tokens.states.transpose(1, 2))).transpose(1, 2)[:, :positions]
        lengths, counts = (tokens.lengths - 1) // self.stride + 1, (tokens.counts - 1) // self.stride + 1
        keys = None if tokens.dropout_keys is None else tokens.dropout_keys[:, :: self.stride]
        return Positions(out * mask[..., None], mask, lengths, counts, keys)

    @staticmethod
    def memory_stage(config: ModelConfig, shape: Shape) -> Stage:
        """Memory of the convolution, whose kernels copy input and output into blocks of 16 channels."""
        overhang = 2 * (config.stem_width // 2) - config.stem_width
        outputs = shape.rows * ((shape.tokens + overhang) // config.stem_stride + 1)
        inputs = shape.tensor(shape.item * shape.padded_tokens * config.embedding)
        convolved = shape.tensor(shape.item * outputs * config.stem)
        blocked = shape.tensor(shape.item * shape.padded_tokens * _whole_blocks(config.embedding))
        blocked += shape.tensor(shape.item * outputs * _whole_blocks(config.stem))
        masked = shape.tensor(shape.item * shape.padded_positions * config.stem)
        return Stage(
            "stem",
            weights=FLOAT * (config.embedding * config.stem * config.stem_width + config.stem),
            saved=convolved + shape.tensor(2 * shape.padded_positions),
            held=masked,
            forward=max(inputs + blocked - convolved - masked, NOTHING),
            backward=max(convolved * 2, inputs * (4 if shape.trains_embedding else 3), inputs * 2 + blocked),
        )


def _whole_blocks(channels: int) -> int:
    return -(-channels // LANES) * LANES
