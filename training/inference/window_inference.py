"""The logits that `Recogniser.forward` gives to overlapping windows, computed faster on a CPU, without gradients.

- A token's share in the stem is looked up by its id and its place in the kernel, and added: exact, as token vectors
  are few.
- Stem and input projection of a base are computed once, not once for every window that covers it. Only at the ends of
  a window, where the kernel reads beyond it, does a base differ.
- States of the LSTM are pooled as they come, and never written.

A window's logit does not depend on those that are computed with it. It differs from that of `Recogniser.forward` by how
sums are rounded.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.models.ensemble import members_of
from training.models.frames import join_frames
from training.models.recogniser import Recogniser
from training.models.recurrent.cells import BIASES, MATRICES
from training.models.recurrent.layers import Directed, Recurrent

MOST_BYTES = 16 << 20
"""Of the table of looked-up vectors: beyond the caches a look-up takes as long as the product."""
_ROWS = 64
"""Windows whose gates are in memory at once, some megabytes."""
_GATES = 4
_POOLINGS = ("mean", "max", "mean+max")
Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


class WindowInference:
    """Gives logits of windows of a stretch of tokens.

    Args:
        model: one that `fits`, and no ensemble. Its weights are read once.
    """

    def __init__(self, model: Recogniser) -> None:
        assert model.stem is not None
        self._model, self._frames = model, model.config.frames
        convolution = model.stem.convolution
        self._stride, self._kernel = model.stem.stride, convolution.kernel_size[0]
        weight, bias = convolution.weight, convolution.bias
        assert bias is not None
        vectors = model.embedding.weight
        self._products = _array(torch.stack([vectors @ weight[..., place].T for place in range(self._kernel)]))
        self._bias = _array(bias)
        cells = _cells(model)
        entering, recurrent = ([_halved(cell.get_parameter(name)) for cell in cells] for name in MATRICES)
        self._entering = _array(torch.cat(entering).T)
        self._gate_bias = _array(torch.cat([_halved(_bias(cell)) for cell in cells]))
        self._recurrent = _array(torch.stack(recurrent).mT)

    def __call__(self, tokens: NDArray[Any], starts: Integers, size: int) -> Tensor:
        """Logits of windows, float32, shape (windows,).

        Args:
            tokens: ids of the stretch, shape (tokens,).
            starts: the first token of each window, in any order, shape (windows,).
            size: tokens of a window.
        """
        parts = [starts[first : first + _ROWS] for first in range(0, len(starts), _ROWS)]
        return torch.cat([torch.empty(0), *(self._logits(tokens, part, size) for part in parts)])

    def _logits(self, tokens: NDArray[Any], starts: Integers, size: int) -> Tensor:
        from training.inference import compiled_lstm

        index, centres, firsts, lasts = self._positions(starts, size)
        rows, positions = index.shape
        gates = np.empty((len(centres), len(self._gate_bias)), np.float32)
        compiled_lstm.gates_of_positions(
            *(tokens, centres, firsts, lasts, self._products, self._bias, self._entering, self._gate_bias, gates)
        )
        directions, hidden, width = self._recurrent.shape
        sums, highest = np.empty((2, rows, self._frames, directions, hidden), np.float32)
        compiled_lstm.read(gates.reshape(-1, directions, width), index, self._frames, self._recurrent, sums, highest)
        lengths = (positions - np.arange(self._frames, dtype=np.float32) - 1) // self._frames + 1
        by_pooling = {"mean": sums / lengths[:, None, None], "max": highest}
        pooled = [by_pooling[name] for name in self._model.config.pooling.split("+")]
        states = torch.from_numpy(np.concatenate(pooled, 2).reshape(rows * self._frames, -1))
        if self._frames > 1:
            states = join_frames(states, self._frames)
        # A matrix product may round a row's sum by how many rows there are.
        head = self._model.head
        return (states.double() * head.weight.double()).sum(1).add_(head.bias.double()).float()

    def _positions(self, starts: Integers, size: int) -> tuple[NDArray[np.int32], Integers, Integers, Integers]:
        """The distinct positions that windows consist of.

        Returns:
            The number of each window's positions in turn, shape (windows, positions); and of each distinct one the
            token in its middle, and the tokens [first, last) that it may read, shape (distinct positions,).
        """
        within = np.arange(0, size, self._stride)
        places = starts[:, None] + within
        before = self._kernel // 2
        is_inner = (within >= before) & (within - before + self._kernel <= size)
        inner = places[:, is_inner]
        centres, numbers = _distinct(inner)
        edges = places[:, ~is_inner]
        index = np.empty(places.shape, np.int32)
        index[:, is_inner] = numbers
        index[:, ~is_inner] = len(centres) + np.arange(edges.size).reshape(edges.shape)
        begin = np.repeat(starts, edges.shape[1])
        return (
            index,
            np.concatenate([centres, edges.reshape(-1)]),
            np.concatenate([centres - before, begin]),
            np.concatenate([centres - before + self._kernel, begin + size]),
        )


def logits_of_windows(model: nn.Module, tokens: NDArray[Any], starts: Integers, size: int) -> Tensor:
    """Logits of windows under a model that `fits`; those of an ensemble are the means over its members.

    Args:
        model: one that `fits`.
        tokens, starts, size: as `WindowInference` takes them.

    Returns:
        float32, shape (windows,).
    """
    logits = []
    for member in members_of(model):
        assert _fits(member, size)
        logits.append(WindowInference(member)(tokens, starts, size))
    return logits[0] if len(logits) == 1 else torch.stack(logits).mean(0)


def fits(model: nn.Module, size: int) -> bool:
    """Whether windows of a model can be computed so: a stem, one LSTM layer and one logit, on a CPU.

    Args:
        model: of any kind.
        size: tokens of a window.
    """
    return all(_fits(member, size) for member in members_of(model))


def _fits(model: nn.Module, size: int) -> TypeGuard[Recogniser]:
    if not isinstance(model, Recogniser):
        return False
    config, weight = model.config, model.embedding.weight
    of_table = 4 * weight.shape[0] * config.stem * config.stem_width
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and type(model.body) is Recurrent
        and config.kind == "lstm"
        and config.layers == 1
        and config.logits == 1
        and config.pooling in _POOLINGS
        and config.strands == "single"
        and not config.absolute_positions
        and (size - 1) // config.stem_stride + 1 >= config.frames
        and 0 < of_table <= MOST_BYTES
    )


def _cells(model: Recogniser) -> list[nn.LSTM]:
    assert isinstance(model.body, Recurrent)
    layer = model.body.layers[0]
    assert isinstance(layer, Directed)
    return [cell for cell in (layer.ahead, layer.back) if isinstance(cell, nn.LSTM)]


def _bias(cell: nn.LSTM) -> Tensor:
    first, second = (cell.get_parameter(name) for name in BIASES)
    return first + second


def _halved(gates: Tensor) -> Tensor:
    """Weights of gates with those of sigmoids halved: input, forget and output; shape (4 x hidden, ...) as given."""
    entering, forgetting, cell, output = gates.chunk(_GATES)
    return torch.cat([entering / 2, forgetting / 2, cell, output / 2])


def _array(values: Tensor) -> Floats:
    """Weights as contiguous numbers."""
    return np.ascontiguousarray(values.detach().numpy())


def _distinct(numbers: Integers) -> tuple[Integers, Integers]:
    """The distinct numbers, ascending, and the place of each number among them, shape as given."""
    if not numbers.size:
        return np.empty(0, np.int64), numbers
    lowest = numbers.min()
    is_there = np.zeros(numbers.max() - lowest + 1, np.bool_)
    is_there[numbers - lowest] = True
    return np.flatnonzero(is_there) + lowest, (np.cumsum(is_there) - 1)[numbers - lowest]
