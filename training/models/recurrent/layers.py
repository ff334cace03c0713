"""LSTM and GRU layers in one or two directions, over masked or packed sequences: the same weights, the same result.

Masked: the backward direction is a second network over sequences reversed within their own length, so that padding
never enters a state. Packed: every time step computes only the rows that reach it. On a CPU masked is 5 to 30 times
faster; on a GPU `training.engine.layout` measures both. States are time-major between the layers, as the libraries
require, and reversing moves whole vectors: gathering number by number took a fifth of a training step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.config import ModelConfig
from training.cost.shape import Shape
from training.cost.stage import Stage
from training.models.body import Body
from training.models.positions import Positions
from training.models.recurrent import cells, gru, memory
from training.models.recurrent.cells import CELLS

Layout = Literal["masked", "packed"]


class Recurrent(Body):
    """Recurrent layers.

    Args:
        config: `kind` names the cell; sizes, layers and directions.
        width: of a position's vector that comes in.

    Attributes:
        width: of a position's vector that goes out.
        directions: 1 or 2; of two, each has half of the vector.
        layout: how sequences pass through the layers; the result does not depend on it.
    """

    most_threads = 1
    time_major: ClassVar[bool] = True
    library_bytes: ClassVar[float] = 31e6

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__(config, width)
        self.layout: Layout = "masked"
        self.layers = nn.ModuleList(
            Directed(CELLS[config.kind], width if layer == 0 else self.width, config.hidden, self.directions)
            for layer in range(config.layers)
        )

    @classmethod
    def output_size(cls, config: ModelConfig) -> tuple[int, int]:
        directions = 2 if config.bidirectional else 1
        return config.hidden * directions, directions

    @classmethod
    def memory_stages(cls, config: ModelConfig, shape: Shape, width: int) -> Iterator[Stage]:
        return memory.stages(config, shape, width)

    def forward(self, positions: Positions) -> Positions:
        """Shape (rows, positions, width); in the packed layout zero after the end of a row."""
        return positions.with_states(self._packed(positions) if self.layout == "packed" else self._masked(positions))

    def _masked(self, positions: Positions) -> Tensor:
        states = positions.states.transpose(0, 1).contiguous()
        reverse = reversal(positions.mask, positions.lengths) if self.directions == 2 else None
        # Only the library of a GPU computes two directions faster in one call than one after the other.
        in_one_call = states.is_cuda and positions.total == positions.mask.numel()
        for layer in self.layers:
            states = layer(states, reverse, None, in_one_call=in_one_call)
        return states.transpose(0, 1)

    def _packed(self, positions: Positions) -> Tensor:
        rows, longest = positions.mask.shape
        packing = Packing(positions)
        reverse = packing.reverse if self.directions == 2 else None
        states = positions.states.reshape(rows * longest, -1)[packing.flat_index]
        for layer in self.layers:
            states = layer(states, reverse, packing.batch_sizes, in_one_call=states.is_cuda)
        flat = states.new_zeros(rows * longest, self.width).index_copy(0, packing.flat_index, states)
        return flat.view(rows, longest, -1)


class Directed(nn.Module):
    """One layer of LSTM or GRU in one or two directions."""

    def __init__(self, cell: type[nn.LSTM] | type[nn.GRU], width: int, hidden: int, directions: int) -> None:
        super().__init__()
        self.ahead = cell(width, hidden)
        self.back = cell(width, hidden) if directions == 2 else None

    def forward(
        self, states: Tensor, reverse: Tensor | None, batch_sizes: Tensor | None, *, in_one_call: bool = False
    ) -> Tensor:
        """New states of every position.

        Args:
            states: time-major, shape (positions, rows, width); packed, shape (real positions, width).
            reverse: the index of each position when every sequence is reversed, over the flat leading dimensions; None
                for one direction.
            batch_sizes: rows at each time step if packed (on the host).
            in_one_call: compute two directions by one call of the library; packed, or all rows are equally long.
        """
        if self.back is not None and in_one_call:
            return cells.run_both(self.ahead, self.back, states, batch_sizes)
        inputs = [states] if reverse is None else [states, swapped(states, reverse)]
        directions = [self.ahead] if self.back is None else [self.ahead, self.back]
        if batch_sizes is None and gru.fits(directions, states):
            outputs = list(gru.run(directions, torch.stack(inputs, dim=1)).unbind(1))
        else:
            outputs = [cells.run(cell, part, batch_sizes) for cell, part in zip(directions, inputs, strict=True)]
        if reverse is None:
            return outputs[0]
        return torch.cat([outputs[0], swapped(outputs[1], reverse)], dim=-1)


class Packing:
    """The order of a batch's real positions in a packed sequence.

    Attributes:
        flat_index: the index of each packed position in (rows x positions), shape (real positions,).
        reverse: the packed position to read when every sequence is reversed, shape (real positions,).
        batch_sizes: rows at each time step, int64 on the host, shape (positions,).
    """

    def __init__(self, positions: Positions) -> None:
        rows, longest = positions.mask.shape
        self.batch_sizes = torch.from_numpy(rows_at(positions.counts))
        order = torch.argsort(positions.lengths, descending=True, stable=True)
        # A size given by the host saves waiting for the device to count.
        real = torch.nonzero_static(positions.mask[order].T.reshape(-1), size=positions.total).squeeze(1)
        time, rank = real // rows, real % rows
        row = order[rank]
        self.flat_index = row * longest + time
        reaching = positions.mask.sum(0)
        first = reaching.cumsum(0) - reaching
        self.reverse = first[positions.lengths[row] - 1 - time] + rank


def rows_at(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows are longer than t, for every t below the longest, shape (longest,)."""
    ending = np.bincount(counts, minlength=int(counts.max()) + 1)
    return len(counts) - np.cumsum(ending)[:-1]


def reversal(mask: Tensor, lengths: Tensor) -> Tensor:
    """The index of each position when sequences are reversed within their length, time-major, shape (positions x
    rows,).

    Positions after the end map to themselves, so that reversing twice changes nothing.
    """
    rows, positions = mask.shape
    time = torch.arange(positions, device=mask.device)[:, None]
    other = torch.where(mask.T, lengths - 1 - time, time)
    return (other * rows + torch.arange(rows, device=mask.device)).reshape(-1)


def swapped(states: Tensor, order: Tensor) -> Tensor:
    """Vectors in an order that is its own inverse: states (..., width), order over the leading dimensions."""
    reordered: Tensor = _Swapped.apply(states, order)  # type: ignore[no-untyped-call]
    return reordered


class _Swapped(torch.autograd.Function):
    """The gradient of an order that is its own inverse is the same order again, with nothing to add up."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return _reordered(states, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (order,) = ctx.saved_tensors
        return _reordered(gradient, order), None


def _reordered(states: Tensor, order: Tensor) -> Tensor:
    return states.reshape(-1, states.shape[-1]).index_select(0, order).view(states.shape)
