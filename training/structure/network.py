"""A network that reads a sequence base by base and gives every base its state and sites on both strands.

Convolutions read at every base, a stem strides to a position for every few bases, the body reads along those, and a
linear map brings what it has seen back to every base, where it is added to what the convolutions saw. This is a U-Net
(Ronneberger et al. 2015, arXiv:1505.04597) with one step down. The body, which reaches far, does a small part of the
work: at a stride of 9 as many steps as a window has codons, divided by three.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipelines.structure.states import SITES, STATES, UTR
from pipelines.tokens.vocabulary import PAD
from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage
from training.data.batch import TokenBatch
from training.models.body import Body
from training.models.cnn import Convolution, padding_of, rectified
from training.models.positions import Positions
from training.structure import memory
from training.structure.striding import Expansion, StridingStem
from training.structure.token_convolution import TokenConvolution

IMPOSSIBLE = -1e4
"""The logit of a state that does not occur: its probability is exactly 0, and differences of logits stay numbers."""
STRANDS = 2


@dataclass(frozen=True)
class Outputs:
    """Logits of every base; those after the end of a row mean nothing.

    Attributes:
        states: float32, shape (rows, bases, strands, states); strand 1 by the forward coordinate, as strand 0.
        sites: float32, shape (rows, bases, strands, sites).
    """

    states: Tensor
    sites: Tensor


class StructureModel(nn.Module):
    """Maps a batch to logits of every base; those of a row do not depend on other rows.

    Args:
        config: every size.
        vocabulary_size: number of token ids.
        body: class of the part that reads along the sequence.
        utr: whether untranslated regions have a state of their own in the labels.
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int, body: type[Body], *, utr: bool = False) -> None:
        super().__init__()
        self.config, self.utr = config, utr
        channels, kernel = config.base_channels, config.base_width
        self.embedding = nn.Embedding(vocabulary_size, config.embedding, padding_idx=PAD)
        self.enter = TokenConvolution(self.embedding, channels, kernel)
        self.base = nn.ModuleList(Residual(channels, kernel, 1 << layer) for layer in range(config.base_layers))
        self.stem = StridingStem(config)
        self.dropout = nn.Dropout(config.dropout)
        self.body = body(config, config.stem)
        self.expand = Expansion(self.body.width, channels, config.stem_stride)
        self.output = nn.ModuleList(Residual(channels, kernel, 1) for _ in range(config.output_layers))
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, STRANDS * (STATES + SITES))

    def forward(self, batch: TokenBatch) -> Outputs:
        """Logits in float32, in any precision of the rest."""
        mask = batch.mask()
        padding = padding_of(mask, batch.counts)
        states = self.enter(batch.padded(), self.embedding)
        for layer in self.base:
            states = layer(states, padding)
        positions = self.stem(Positions(states, mask, batch.lengths, batch.counts), padding)
        positions = self.body(positions.with_states(self.dropout(positions.states)))
        states = states + self.expand(self.dropout(positions.states), batch.longest)
        for layer in self.output:
            states = layer(states, padding)
        return self._logits(states)

    def _logits(self, states: Tensor) -> Outputs:
        """Bases run innermost in memory, so that sums over states are sums of long rows."""
        with torch.autocast(states.device.type, enabled=False):
            normal = self.norm(states.float())
            logits = torch.baddbmm(self.head.bias[:, None], self.head.weight.expand(len(normal), -1, -1), normal.mT)
        if not self.utr:
            logits[:, UTR : STRANDS * STATES : STATES] = IMPOSSIBLE
        of_states, of_sites = logits.split([STRANDS * STATES, STRANDS * SITES], dim=1)
        return Outputs(*(part.unflatten(1, (STRANDS, -1)).permute(0, 3, 1, 2) for part in (of_states, of_sites)))

    @staticmethod
    def memory_stages(config: ModelConfig, vocabulary_size: int, shape: Shape, body: type[Body]) -> list[Stage]:
        """What each part saves and needs, in forward order, the loss included."""
        return memory.stages(config, vocabulary_size, shape, body)


class Residual(nn.Module):
    """A dilated convolution of normalised vectors, added to the input."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.convolution = Convolution(channels, channels, kernel, dilation=dilation)

    def forward(self, states: Tensor, padding: Tensor | None) -> Tensor:
        """States of shape (rows, bases, channels); padding as in `rectified`."""
        convolved: Tensor = self.convolution(rectified(self.norm, states, padding))
        return states + convolved
