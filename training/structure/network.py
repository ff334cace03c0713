"""A network that reads a sequence base by base and gives every base its state and sites on both strands.

Convolutions read at every base, a stem strides to a position for every few bases, the body reads along those, and a
linear map brings what it has seen back to every base, where it is added to what the convolutions saw: a U-Net
(Ronneberger et al. 2015, arXiv:1505.04597) with one step down. The body, which reaches far, takes as many steps as a
window has positions. Which strand of a chromosome is written down does not matter to a gene: every part reads both
strands with the same weights (`training.models.paired`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding

from pipelines.structure.states import SITES, STATES, UTR
from pipelines.tokens.vocabulary import PAD
from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage
from training.data.batch import TokenBatch
from training.models.body import Body
from training.models.cnn import padding_of
from training.models.dropout import Dropout, keys_of_positions, number_places
from training.models.paired.bodies import paired
from training.models.paired.layers import PairedLinear, PairedNorm, PairedResidual, without_padding_
from training.models.positions import Positions
from training.structure import memory
from training.structure.striding import Expansion, StridingStem

FIRST_LOGITS = [-0.35, -2.4, *[-2.4] * 3, *[-4.8] * 3, *[-7.0] * 4]
"""Logits of one strand's states and sites before training: most bases are intergenic, and few are sites."""
FIRST_SPREAD = 0.5
"""Standard deviation of what enters, about, and of what the head adds to the first logits."""
CODON = 3
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

    The outputs for the reverse complement of a row are its outputs in reverse order with the strands exchanged, if its
    length is a multiple of the stride.

    Args:
        config: every size.
        vocabulary_size: number of token ids.
        body: class of the part that reads along the sequence.
        utr: whether untranslated regions have a state of their own in the labels.
        complements: the id of each token's reverse complement, shape (ids,); None if weights are loaded, which include
            it.
    """

    reverse_complements: Tensor

    def __init__(
        self,
        config: ModelConfig,
        vocabulary_size: int,
        body: type[Body],
        *,
        utr: bool = False,
        complements: NDArray[Any] | None = None,
    ) -> None:
        super().__init__()
        self.config, self.utr = config, utr
        channels, kernel = config.base_channels, config.base_width
        self.embedding = nn.Embedding(vocabulary_size, config.embedding, padding_idx=PAD)
        # As a number like all weights, with which it is stored: no vocabulary has 2^24 tokens.
        ids = np.arange(vocabulary_size) if complements is None else complements
        self.register_buffer("reverse_complements", torch.from_numpy(ids.astype(np.float32)))
        self.enter = PairedLinear(2 * config.embedding, channels, gain=FIRST_SPREAD)
        self.base = nn.ModuleList(PairedResidual(channels, kernel, 1 << layer) for layer in range(config.base_layers))
        self.stem = StridingStem(config)
        self.dropout, self.body_dropout = Dropout(config.dropout), Dropout(config.dropout)
        self.body = paired(body, config, config.stem)
        self.body_norm = PairedNorm(self.body.width)
        self.expand = Expansion(self.body.width, channels, config.stem_stride)
        self.output = nn.ModuleList(
            PairedResidual(channels, kernel, CODON**layer) for layer in range(config.output_layers)
        )
        self.norm = PairedNorm(channels)
        self.head = PairedLinear(channels, STRANDS * (STATES + SITES), gain=FIRST_SPREAD)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor(FIRST_LOGITS))
        number_places(self)

    def forward(self, batch: TokenBatch) -> Outputs:
        """Logits in float32, in any precision of the rest."""
        mask = batch.mask()
        padding = padding_of(mask, batch.counts)
        # Every token is one of few: what enters is looked up.
        states = without_padding_(embedding(batch.padded(), self.entering()), padding)
        for layer in self.base:
            states = layer(states, padding)
        keys = keys_of_positions(batch.dropout_keys, batch.longest)
        positions = self.stem(Positions(states, mask, batch.lengths, batch.counts, keys))
        keys = positions.dropout_keys
        positions = self.body(positions.with_states(self.dropout(positions.states, keys)))
        expanded = self.expand(self.body_dropout(self.body_norm(positions.states), keys), batch.longest)
        states = without_padding_(states + expanded, padding)
        for layer in self.output:
            states = layer(states, padding)
        of_states, of_sites = self.logits(states).split([STATES, SITES], dim=2)
        return Outputs(of_states.permute(0, 3, 1, 2), of_sites.permute(0, 3, 1, 2))

    def entering(self) -> Tensor:
        """What enters the convolutions for every id, float32, shape (ids, base channels)."""
        # Through the module, which keeps `<pad>` from being trained.
        own = self.embedding(torch.arange(self.embedding.num_embeddings, device=self.embedding.weight.device))
        vectors: Tensor = self.enter(torch.cat([own, own[self.reverse_complements.long()]], dim=1))
        return vectors.float()

    def logits(self, states: Tensor) -> Tensor:
        """Logits of states, then sites, from the last vectors of bases: float32, shape (rows, strands, 12, bases).

        Bases run innermost in memory, so that sums over states are sums of long rows.
        """
        with torch.autocast(states.device.type, enabled=False):
            weights, biases = self.head.weights(), self.head.biases()
            normal = self.norm(states.float())
            logits = torch.baddbmm(biases[:, None], weights.expand(len(normal), -1, -1), normal.mT)
        of_strands = logits.unflatten(1, (STRANDS, -1))
        if not self.utr:
            of_strands[:, :, UTR] = IMPOSSIBLE
        return of_strands

    @staticmethod
    def memory_stages(config: ModelConfig, vocabulary_size: int, shape: Shape, body: type[Body]) -> list[Stage]:
        """What each part saves and needs, in forward order, the loss included."""
        return memory.stages(config, vocabulary_size, shape, body)
