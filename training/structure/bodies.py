"""The kinds of body with weights shared between the strands, as `training.structure.paired` describes.

Recurrent layers read the other strand with the same cell, on the turned sequence; convolutions are paired. Any other
kind, registered ones included, reads the sequence and its reverse complement as two rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.cost.amount import NOTHING
from training.cost.shape import ID, Shape
from training.cost.stage import Stage
from training.data.dropout_keys import keys_of_other_strand
from training.models.body import Body
from training.models.cnn import Cnn, dilation_of, padding_of
from training.models.dropout import Dropout
from training.models.positions import Positions
from training.models.recurrent import cells, gru, memory
from training.models.recurrent.cells import CELLS
from training.models.recurrent.layers import Recurrent, swapped
from training.structure.paired import (
    RECTIFIED,
    PairedConvolution,
    PairedLinear,
    PairedNorm,
    exchanged,
    without_padding_,
)


def paired(body: type[Body], config: ModelConfig, width: int) -> Body:
    """A body of a kind that reads both strands alike.

    Args:
        body: class of the kind.
        config: every size.
        width: of a position's vector that comes in; even.
    """
    if issubclass(body, Recurrent):
        return PairedRecurrent(config, width)
    return PairedCnn(config, width) if issubclass(body, Cnn) else TwoRows(body, config, width)


def paired_size(body: type[Body], config: ModelConfig) -> int:
    """Width of a position's vector that comes out of `paired`."""
    if issubclass(body, Recurrent):
        return PairedRecurrent.output_size(config)[0]
    width, _ = body.output_size(config)
    return width if issubclass(body, Cnn) else 2 * width


def memory_stages(body: type[Body], config: ModelConfig, shape: Shape, width: int) -> Iterable[Stage]:
    """What `paired` saves and needs, in forward order; arguments as of `Body.memory_stages`."""
    if issubclass(body, Recurrent):
        return PairedRecurrent.memory_stages(config, shape, width)
    if issubclass(body, Cnn):
        return PairedCnn.memory_stages(config, shape, width)
    return _memory_of_two_rows(body, config, shape, width)


def turning(positions: Positions) -> Tensor:
    """The index of each position when rows are reversed within their length, shape (rows x positions,)."""
    rows, longest = positions.mask.shape
    place = torch.arange(longest, device=positions.mask.device)
    other = torch.where(positions.mask, positions.lengths[:, None] - 1 - place, place)
    return (other + longest * torch.arange(rows, device=place.device)[:, None]).reshape(-1)


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
        both = _both(shape)
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


class PairedCnn(Body):
    """The blocks of `Cnn` with paired weights; arguments as there."""

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__(config, width)
        self.enter = PairedLinear(width, config.hidden)
        self.layers = nn.ModuleList(
            PairedBlock(config.hidden, config.kernel_width, dilation_of(layer), config.dropout)
            for layer in range(config.layers)
        )
        self.norm = PairedNorm(config.hidden)

    @classmethod
    def memory_stages(cls, config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
        """As those of `Cnn`, with half of the weights."""
        for stage in Cnn.memory_stages(config, shape, width):
            yield replace(stage, weights=stage.weights / 2)

    def forward(self, positions: Positions) -> Positions:
        """Shape (rows, positions, width)."""
        padding = padding_of(positions.mask, positions.counts)
        states = self.enter(positions.states)
        for layer in self.layers:
            states = layer(states, padding, positions.dropout_keys)
        return positions.with_states(self.norm(states))


class PairedBlock(nn.Module):
    """A norm, a dilated convolution and a linear map, added to the input."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = PairedNorm(width)
        self.convolution = PairedConvolution(width, width, kernel, dilation=dilation, gain=RECTIFIED)
        self.join = PairedLinear(width, width)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, padding: Tensor | None, keys: Tensor | None) -> Tensor:
        """States of shape (rows, positions, width); padding as in `PairedResidual`, keys as in `Dropout`."""
        normal = without_padding_(self.norm(states), padding).relu_()
        joined: Tensor = self.dropout(self.join(self.convolution(normal).relu_()), keys)
        return states + joined


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


def _memory_of_two_rows(body: type[Body], config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
    both = _both(shape)
    yield Stage("both strands", saved=shape.tensor(ID * shape.padded_positions), forward=both.states(width) * 2)
    yield from body.memory_stages(config, both, width)


def _both(shape: Shape) -> Shape:
    """The shape of a batch with a row for each strand."""
    return replace(shape, rows=2 * shape.rows)
