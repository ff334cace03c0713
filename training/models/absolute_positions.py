"""A vector for each token's position from the start of the sequence, for sequences that are aligned.

In a promoter a box matters at its distance from the transcription start. A convolution followed by pooling over all
positions cannot see that distance, and a recurrent state counts poorly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WAVES = 16
OCTAVES = 8


class AbsolutePositions(nn.Module):
    """A learnt projection of sines and cosines of the position (Vaswani et al. 2017, arXiv:1706.03762).

    Wavelengths are 2 pi to some thousand tokens, two to an octave; positions further on repeat.

    Args:
        width: of a token's vector.
    """

    rates: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * WAVES, width, bias=False)
        self.register_buffer("rates", 2.0 ** -(torch.arange(WAVES) * OCTAVES / WAVES), persistent=False)

    def forward(self, longest: int) -> Tensor:
        """Vectors of the first `longest` positions, shape (longest, width)."""
        angles = torch.arange(longest, device=self.rates.device)[:, None] * self.rates
        vectors: Tensor = self.project(torch.cat([angles.sin(), angles.cos()], dim=1))
        return vectors
