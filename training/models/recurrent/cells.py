"""LSTM and GRU cells in the number format that autocast asks for, in one direction or both in one call.

Under autocast on a GPU PyTorch casts what cuDNN and MIOpen compute to fp16, also where bf16 was requested. Numbers
above 65,504 overflow there, and only precision fp16 has a loss scale. So the cells run outside autocast, and inputs and
weights are cast here. A format that the library of a GPU does not compute in (bf16 with MIOpen, before Ampere, or with
a cuDNN before 9.13) becomes float32, because PyTorch would compute it operation by operation at each position.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

Cell = nn.LSTM | nn.GRU
CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
MATRICES, BIASES = ("weight_ih_l0", "weight_hh_l0"), ("bias_ih_l0", "bias_hh_l0")
LSTM_GATES, GRU_GATES = 4, 3


def run(cell: Cell, states: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
    """The states of a cell at every position, on a GPU in the number format of autocast where that is enabled.

    Args:
        cell: of one layer and direction.
        states: time-major, shape (positions, rows, width); packed, shape (real positions, width).
        batch_sizes: rows at each time step if packed (on the host).

    Returns:
        The shape of `states` with hidden as its last size.
    """
    asked = asked_type(states.device)
    if asked is not None:
        return _outside_autocast([cell], states, batch_sizes, computed_type(cell, states.device, asked)).to(asked)
    if batch_sizes is None:
        if isinstance(cell, nn.LSTM) and torch.is_autocast_enabled(states.device.type):
            # oneDNN's LSTM refuses inputs in float32 next to weights that autocast has cast.
            states = states.to(torch.get_autocast_dtype(states.device.type))
        output: Tensor = cell(states)[0]
        return output
    packed: nn.utils.rnn.PackedSequence = cell(nn.utils.rnn.PackedSequence(states, batch_sizes))[0]
    return packed.data


def run_both(ahead: Cell, back: Cell, states: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
    """The states of two cells, of which the second reads from the end, by one call of the library.

    Args:
        ahead: reads from the first position of each row on.
        back: reads from the last position of each row on; of the same sizes.
        states: as of `run`; if not packed, all rows are equally long.
        batch_sizes: as of `run`.

    Returns:
        The shape of `states` with twice hidden as its last size.
    """
    asked = asked_type(states.device) or states.dtype
    computed = computed_type(ahead, states.device, asked)
    return _outside_autocast([ahead, back], states, batch_sizes, computed).to(asked)


def asked_type(device: torch.device) -> torch.dtype | None:
    """The number format of autocast on a GPU; None where it is disabled, and on a CPU, whose autocast keeps to it."""
    is_gpu = device.type != "cpu"
    return torch.get_autocast_dtype(device.type) if is_gpu and torch.is_autocast_enabled(device.type) else None


def computed_type(cell: Cell, device: torch.device, asked: torch.dtype) -> torch.dtype:
    """The number format that a cell is computed in on a device where `asked` is requested."""
    is_served = device.type == "cpu" or serves(isinstance(cell, nn.LSTM), device, asked)
    return asked if is_served else torch.float32


@lru_cache
def serves(is_lstm: bool, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the library of a device computes LSTMs, or else GRUs, in a number format: tried once.

    PyTorch chooses the library by the generation of the GPU and by the version of the library, and records what it
    chose for the backward pass.
    """
    size, gates = 8, LSTM_GATES if is_lstm else GRU_GATES
    shapes = [torch.Size(shape) for shape in 2 * [(gates * size, size)] + 2 * [(gates * size,)]]
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        flat = torch.zeros(sum(shape.numel() for shape in shapes), dtype=dtype, device=device, requires_grad=True)
        try:
            output = _call(is_lstm, flat.new_zeros(2, 1, size), None, _views(flat, shapes), size, training=True)
        except RuntimeError:
            return False
    return output.grad_fn is not None and "Rnn" in output.grad_fn.name()


def _outside_autocast(cells: Sequence[Cell], states: Tensor, batch_sizes: Tensor | None, dtype: torch.dtype) -> Tensor:
    first = cells[0]
    with torch.autocast(states.device.type, enabled=False):
        weights, is_lstm = cast_weights(cells, dtype), isinstance(first, nn.LSTM)
        return _call(is_lstm, states.to(dtype), batch_sizes, weights, first.hidden_size, training=first.training)


def cast_weights(cells: Sequence[Cell], dtype: torch.dtype) -> list[Tensor]:
    """The weights of the cells of one layer in a number format, as PyTorch's functions take them.

    They are views of one tensor with all matrices before all biases, which is how cuDNN lays them out: it would copy
    others at each call, with a warning. Gradients arrive in the format of the cells' own weights.
    """
    by_name = [[cell.get_parameter(name) for cell in cells for name in names] for names in (MATRICES, BIASES)]
    laid_out = [weight for weights in by_name for weight in weights]
    flat = torch.cat([weight.reshape(-1) for weight in laid_out]).to(dtype)
    views = _views(flat, [weight.shape for weight in laid_out])
    matrices, biases = views[: len(views) // 2], views[len(views) // 2 :]
    return [
        weight
        for first in range(0, len(matrices), 2)
        for weight in matrices[first : first + 2] + biases[first : first + 2]
    ]


def _views(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    pieces = flat.split([shape.numel() for shape in shapes])
    return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def _call(
    is_lstm: bool, states: Tensor, batch_sizes: Tensor | None, weights: list[Tensor], hidden: int, *, training: bool
) -> Tensor:
    """PyTorch's function for LSTMs or GRUs, from states of zero: two directions if there are weights of two."""
    directions = len(weights) // 4
    zeros = states.new_zeros(directions, states.shape[1] if batch_sizes is None else int(batch_sizes[0]), hidden)
    first: Any = (zeros, zeros) if is_lstm else zeros
    function: Any = torch.lstm if is_lstm else torch.gru
    settings = (weights, True, 1, 0.0, training, directions == 2)
    if batch_sizes is None:
        output: Tensor = function(states, first, *settings, False)[0]
    else:
        output = function(states, batch_sizes, first, *settings)[0]
    return output
