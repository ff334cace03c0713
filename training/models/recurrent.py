"""LSTM and GRU layers in one or two directions.

The backward direction is a second network over sequences reversed within their own length, so that padding never
enters a state: packed sequences give the same result but were 5 to 30 times slower on CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.models.body import Body
from training.models.positions import Positions

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(Body):
    """Recurrent layers.

    Args:
        config: `kind` names the cell; sizes, layers and directions.
        width: of a position's vector that comes in.

    Attributes:
        width: of a position's vector that goes out.
        directions: 1 or 2; of two, each has half of the vector.
    """

    most_threads = 1

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__()
        self.directions = 2 if config.bidirectional else 1
        self.width = config.hidden * self.directions
        self.layers = nn.ModuleList(
            Directed(CELLS[config.kind], width if layer == 0 else self.width, config.hidden, self.directions)
            for layer in range(config.layers)
        )

    def forward(self, found: Positions) -> Positions:
        """Shape (rows, positions, width)."""
        states, reverse = found.states, reversal(found.mask, found.lengths)
        for layer in self.layers:
            states = layer(states, reverse)
        return found.with_states(states)


class Directed(nn.Module):
    """One layer of LSTM or GRU in one or two directions."""

    def __init__(self, cell: type[nn.LSTM] | type[nn.GRU], width: int, hidden: int, directions: int) -> None:
        super().__init__()
        self.ahead = cell(width, hidden, batch_first=True)
        self.back = cell(width, hidden, batch_first=True) if directions == 2 else None

    def forward(self, states: Tensor, reverse: Tensor) -> Tensor:
        """States (rows, positions, width) to (rows, positions, hidden x directions)."""
        ahead, _ = self.ahead(states)
        if self.back is None:
            return ahead
        back, _ = self.back(take(states, reverse))
        return torch.cat([ahead, take(back, reverse)], dim=2)


def reversal(mask: Tensor, lengths: Tensor) -> Tensor:
    """For each position the one to read when a sequence is reversed within its length, shape (rows, positions).

    Positions after the end read themselves, so that applying it twice changes nothing.
    """
    position = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    return torch.where(mask, lengths[:, None] - 1 - position, position)


def take(states: Tensor, positions: Tensor) -> Tensor:
    """Gather positions of each row: states (rows, n, width), positions (rows, n)."""
    return states.gather(1, positions[..., None].expand(-1, -1, states.shape[2]))
