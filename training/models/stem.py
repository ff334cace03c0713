"""A strided convolution over tokens: what follows it is as much shorter. Positions after the end of a row stay zero."""

from __future__ import annotations

import torch
from torch import nn

from training.config import ModelConfig
from training.models.positions import Positions


class Stem(nn.Module):
    """Convolution and rectifier.

    Args:
        config: channels, width in tokens and stride of the convolution.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.stride = config.stem_stride
        self.convolution = nn.Conv1d(
            config.embedding, config.stem, config.stem_width, stride=config.stem_stride, padding=config.stem_width // 2
        )

    def forward(self, tokens: Positions) -> Positions:
        """Positions `stride` times fewer; token vectors after the end of a row have to be zero."""
        positions = (tokens.mask.shape[1] - 1) // self.stride + 1
        mask = tokens.mask[:, :: self.stride]
        out = torch.relu(self.convolution(tokens.states.transpose(1, 2))).transpose(1, 2)[:, :positions]
        lengths, counts = (tokens.lengths - 1) // self.stride + 1, (tokens.counts - 1) // self.stride + 1
        return Positions(out * mask[..., None], mask, lengths, counts)
