"""LSTM and GRU layers that read the other strand with the same cell, on the turned sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import ID, Shape
from training.cost.stage import Stage
from training.models.body import Body
from training.models.paired.layers import exchanged
from training.models.paired.turning import of_both_strands, turning
from training.models.positions import Positions
from training.models.recurrent import cells, gru, memory
from training.models.recurrent.cells import CELLS
from training.models.recurrent.layers import swapped


class PairedRecurrent(Body):
    """LSTM or GRU layers that read each strand in its direction with the same cell.

    Args:
        config: `kind` names the cell; sizes and layers.
        width: of a position's vector that comes in.
    """

    most_threads = 1

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__(config, width)
        self.layers = nn.ModuleList(
            CELLS[config.kind](width if layer == 0 else self.width, config.hidden) for layer in range(config.layers)
        )
        for cell in self.layers:
            _remember(cell)

    @classmethod
    def output_size(cls, config: ModelConfig) -> tuple[int, int]:
        return 2 * config.hidden, 2

    @classmethod
    def memory_stages(cls, config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
        """One stage a layer, which copies what it reads for both strands."""
        both = of_both_strands(shape)
        for layer in range(config.layers):
            stage = memory.layer_stage(config, both, width, 1, layer)
            copied = both.states(width)
            order = shape.tensor(ID * shape.padded_positions) if layer == 0 else NOTHING
            is_copied = layer == 0 or config.kind == "gru"
            yield replace(
                stage,
                saved=stage.saved + order + (NOTHING if is_copied else copied),
                forward=stage.forward + copied,
                backward=stage.backward + copied,
            )
            width = 2 * config.hidden

    def forward(self, positions: Positions) -> Positions:
        """Shape (rows, positions, width); both strands are rows of one batch, time-major."""
        order = turning(positions)
        states = positions.states
        for cell in self.layers:
            both = torch.cat([states, exchanged(swapped(states, order))]).transpose(0, 1)
            read = _run(cell, both).transpose(0, 1)
            ahead, back = read.chunk(2)
            states = torch.cat([ahead, swapped(back, order)], dim=-1)
        return positions.with_states(states)

    def read(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """What `forward` gives for each row, without gradients: vectors are put where the next layer reads them.

        Args:
            rows: vectors of each, shape (positions, width).

        Returns:
            New vectors of each row, in a batch's memory.
        """
        longest, count = max(len(row) for row in rows), len(rows)
        states = rows[0].new_zeros(longest, 2 * count, rows[0].shape[1])
        for number, row in enumerate(rows):
            states[: len(row), number] = row
            states[: len(row), count + number] = exchanged(row.flip(0))
        for cell in self.layers:
            out = _run(cell, states)
            # Of a row, what its own direction and the other one have read, and of the other strand the same.
            states = out.new_zeros(longest, 2 * count, self.width)
            for number, row in enumerate(rows):
                ahead, back = out[: len(row), number], out[: len(row), count + number]
                torch.cat([ahead, back.flip(0)], 1, out=states[: len(row), number])
                if cell is not self.layers[-1]:
                    torch.cat([back, ahead.flip(0)], 1, out=states[: len(row), count + number])
        return [states[: len(row), number] for number, row in enumerate(rows)]


def _remember(cell: nn.Module) -> None:
    """Let an LSTM begin with forget gates that are nearly open (Jozefowicz et al. 2015, PMLR 37)."""
    if isinstance(cell, nn.LSTM):
        with torch.no_grad():
            cell.get_parameter("bias_ih_l0")[cell.hidden_size : 2 * cell.hidden_size] = 1


def _run(cell: nn.Module, states: Tensor) -> Tensor:
    """Outputs of shape (positions, rows, hidden)."""
    states = states.contiguous()
    if isinstance(cell, nn.GRU) and gru.fits([cell], states):
        return gru.run([cell], states.unsqueeze(1)).squeeze(1)
    assert isinstance(cell, nn.LSTM | nn.GRU)
    return cells.run(cell, states)
