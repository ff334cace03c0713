"""Where a token stands: a vector of its place from the start of the sequence, for sequences that are aligned.

In a promoter a box counts at its distance from the transcription start. A convolution and a pooling over all positions
do not know it, and a recurrent state counts badly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WAVES = 16
OCTAVES = 8


class Place(nn.Module):
    """A learnt projection of sines and cosines (Vaswani et al. 2017, arXiv:1706.03762).

    Their waves are 2 pi to some thousand tokens long, two to an octave; what is farther on repeats.

    Args:
        width: of a token's vector.
    """

    rates: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * WAVES, width, bias=False)
        self.register_buffer("rates", 2.0 ** -(torch.arange(WAVES) * OCTAVES / WAVES), persistent=False)

    def forward(self, longest: int) -> Tensor:
        """Vectors of the first `longest` places, shape (longest, width)."""
        angles = torch.arange(longest, device=self.rates.device)[:, None] * self.rates
        found: Tensor = self.project(torch.cat([angles.sin(), angles.cos()], dim=1))
        return found
