"""Any body as one that reads both strands alike: the sequence and its reverse complement are two rows for it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from training.config import ModelConfig
from training.cost.shape import ID, Shape
from training.cost.stage import Stage
from training.data.dropout_keys import keys_of_other_strand
from training.models.body import Body
from training.models.paired.layers import exchanged
from training.models.paired.turning import of_both_strands, turning
from training.models.positions import Positions
from training.models.recurrent.layers import swapped


class TwoRows(Body):
    """Any body, for which the reverse complement of a row is another row.

    Args:
        body: its class.
        config: every size.
        width: of a position's vector that comes in.
    """

    def __init__(self, body: type[Body], config: ModelConfig, width: int) -> None:
        nn.Module.__init__(self)
        self.body = body(config, width)
        self.width, self.directions = 2 * self.body.width, 2
        self.most_threads = self.body.most_threads

    def forward(self, positions: Positions) -> Positions:
        """Shape (rows, positions, width)."""
        order = turning(positions)
        states = torch.cat([positions.states, exchanged(swapped(positions.states, order))])
        keys = positions.dropout_keys
        both = Positions(
            states,
            torch.cat([positions.mask, positions.mask]),
            torch.cat([positions.lengths, positions.lengths]),
            np.concatenate([positions.counts, positions.counts]),
            None if keys is None else torch.cat([keys, keys_of_other_strand(keys)]),
        )
        ahead, back = self.body(both).states.chunk(2)
        return positions.with_states(torch.cat([ahead, swapped(back, order)], dim=-1))


def memory_of_two_rows(body: type[Body], config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
    """What `TwoRows` saves and needs, in forward order; arguments as of `Body.memory_stages`."""
    both = of_both_strands(shape)
    yield Stage("both strands", saved=shape.tensor(ID * shape.padded_positions), forward=both.states(width) * 2)
    yield from body.memory_stages(config, both, width)
