"""LSTM and GRU layers in one or two directions, over masked or packed sequences: the same weights, the same result.

Masked: the backward direction is a second network over sequences reversed within their own length, so that padding never
enters a state. Packed: every time step computes the rows that reach it, and no other. On CPU masked is 5 to 30 times faster;
on a GPU `training.layout` finds out. States lie time-major between the layers, as the libraries want them, and reversing
moves whole vectors: gathering number by number took a fifth of a training step.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from training.config import ModelConfig
from training.models import gru
from training.models.body import Body
from training.models.positions import Positions

CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
Layout = Literal["masked", "packed"]


class Recurrent(Body):
    """Recurrent layers.

    Args:
        config: `kind` names the cell; sizes, layers and directions.
        width: of a position's vector that comes in.

    Attributes:
        width: of a position's vector that goes out.
        directions: 1 or 2; of two, each has half of the vector.
        layout: how sequences pass through; of no consequence to the result.
    """

    most_threads = 1

    def __init__(self, config: ModelConfig, width: int) -> None:
        super().__init__()
        self.directions = 2 if config.bidirectional else 1
        self.width = config.hidden * self.directions
        self.layout: Layout = "masked"
        self.layers = nn.ModuleList(
            Directed(CELLS[config.kind], width if layer == 0 else self.width, config.hidden, self.directions)
            for layer in range(config.layers)
        )

    def forward(self, found: Positions) -> Positions:
        """Shape (rows, positions, width); in the packed layout zero after the end of a row."""
        return found.with_states(self._packed(found) if self.layout == "packed" else self._masked(found))

    def _masked(self, found: Positions) -> Tensor:
        states = found.states.transpose(0, 1).contiguous()
        reverse = reversal(found.mask, found.lengths) if self.directions == 2 else None
        for layer in self.layers:
            states = layer(states, reverse, None)
        return states.transpose(0, 1)

    def _packed(self, found: Positions) -> Tensor:
        rows, positions = found.mask.shape
        packing = Packing(found)
        reverse = packing.reverse if self.directions == 2 else None
        states = found.states.reshape(rows * positions, -1)[packing.at]
        for layer in self.layers:
            states = layer(states, reverse, packing.batch_sizes)
        flat = states.new_zeros(rows * positions, self.width).index_copy(0, packing.at, states)
        return flat.view(rows, positions, -1)


class Directed(nn.Module):
    """One layer of LSTM or GRU in one or two directions."""

    def __init__(self, cell: type[nn.LSTM] | type[nn.GRU], width: int, hidden: int, directions: int) -> None:
        super().__init__()
        self.ahead = cell(width, hidden)
        self.back = cell(width, hidden) if directions == 2 else None

    def forward(self, states: Tensor, reverse: Tensor | None, batch_sizes: Tensor | None) -> Tensor:
        """New states of every position.

        Args:
            states: time-major, shape (positions, rows, width); packed, shape (real positions, width).
            reverse: where each position lies when every sequence is reversed, over the flat leading dimensions; None for one
                direction.
            batch_sizes: rows at each time step if packed (on the host).
        """
        inputs = [states] if reverse is None else [states, swapped(states, reverse)]
        cells = [self.ahead] if self.back is None else [self.ahead, self.back]
        if batch_sizes is None and gru.fits(cells, states):
            found = list(gru.run(cells, torch.stack(inputs, dim=1)).unbind(1))
        else:
            found = [_run(cell, one, batch_sizes) for cell, one in zip(cells, inputs, strict=True)]
        if reverse is None:
            return found[0]
        return torch.cat([found[0], swapped(found[1], reverse)], dim=-1)


def _run(cell: nn.LSTM | nn.GRU, states: Tensor, batch_sizes: Tensor | None) -> Tensor:
    if batch_sizes is None:
        found: Tensor = cell(states)[0]
        return found
    packed: PackedSequence = cell(PackedSequence(states, batch_sizes))[0]
    return packed.data


class Packing:
    """Where the real positions of a batch lie in a packed sequence.

    Attributes:
        at: the place of each packed position in (rows x positions), shape (real positions,).
        reverse: the packed position to read when every sequence is reversed, shape (real positions,).
        batch_sizes: rows at each time step, int64 on the host, shape (positions,).
    """

    def __init__(self, found: Positions) -> None:
        rows, positions = found.mask.shape
        self.batch_sizes = torch.from_numpy(rows_at(found.counts))
        # Without `size` the device would have to be waited for.
        order = torch.argsort(found.lengths, descending=True, stable=True)
        real = torch.nonzero_static(found.mask[order].T.reshape(-1), size=found.total).squeeze(1)
        time, rank = real // rows, real % rows
        row = order[rank]
        self.at = row * positions + time
        reaching = found.mask.sum(0)
        first = reaching.cumsum(0) - reaching
        self.reverse = first[found.lengths[row] - 1 - time] + rank


def rows_at(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows are longer than t, for every t below the longest, shape (longest,)."""
    ending = np.bincount(counts, minlength=int(counts.max()) + 1)
    return len(counts) - np.cumsum(ending)[:-1]


def reversal(mask: Tensor, lengths: Tensor) -> Tensor:
    """Where each position lies when sequences are reversed within their length, time-major, shape (positions x rows,).

    Positions after the end read themselves, so that applying it twice changes nothing.
    """
    rows, positions = mask.shape
    time = torch.arange(positions, device=mask.device)[:, None]
    other = torch.where(mask.T, lengths - 1 - time, time)
    return (other * rows + torch.arange(rows, device=mask.device)).reshape(-1)


def swapped(states: Tensor, order: Tensor) -> Tensor:
    """Vectors in another order, one that undoes itself when applied twice: states (..., width), order over the rest."""
    found: Tensor = _Swapped.apply(states, order)  # type: ignore[no-untyped-call]
    return found


class _Swapped(torch.autograd.Function):
    """The gradient of an order that undoes itself is the same order again, with nothing to add up."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return _taken(states, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (order,) = ctx.saved_tensors
        return _taken(gradient, order), None


def _taken(states: Tensor, order: Tensor) -> Tensor:
    return states.reshape(-1, states.shape[-1]).index_select(0, order).view(states.shape)
