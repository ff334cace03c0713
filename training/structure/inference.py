"""The logits that `StructureModel.forward` gives, computed faster on a CPU: for tiles of a genome, without gradients.

- The first convolution reads tokens, of which there are few: its products are looked up and added.
- What reads bases takes a few rows at a time, which fit a processor's cache; only the body takes all rows at once.
- What follows the body is computed for those bases alone whose logits are requested, and for those that their
  convolutions read.

The results differ by how sums are rounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeGuard, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, pad
from torch.nn.utils.rnn import pad_sequence

from training.models.paired.layers import PairedResidual
from training.models.paired.recurrent import PairedRecurrent
from training.models.positions import Positions
from training.structure.network import StructureModel

Span = tuple[int, int]
_ROWS = 4
"""Rows that are convolved at once; one alone took a seventh longer, and 13 no less."""


class TileInference:
    """Gives logits of rows of tokens.

    Args:
        model: on a CPU, its weights in float32, for evaluation. Its weights are read once.
    """

    def __init__(self, model: StructureModel) -> None:
        self._model = model
        self._entering = model.entering()
        self._base, self._output = (cast("list[PairedResidual]", list(layers)) for layers in (model.base, model.output))
        self._first = FirstLayer(self._base[0], self._entering) if self._base else None
        self._margin = sum(layer.convolution.padding for layer in self._output)

    def __call__(self, rows: Sequence[Tensor], spans: Sequence[Span]) -> Iterator[Tensor]:
        """Logits of some bases of each row, in their order: float32, shape (strands, 12, bases).

        Args:
            rows: token ids of each, none of them `<pad>`, int64, shape (bases,).
            spans: the first base of each row whose logits are requested, and the one after the last.
        """
        keys = [(len(tokens), *span) for tokens, span in zip(rows, spans, strict=True)]
        groups = _groups(keys)
        bases = [self._bases(torch.stack(list(rows[group]))) for group in groups]
        read = self._read([row for states in bases for row in self._model.stem(_positions(states)).states])
        for group, states in zip(groups, bases, strict=True):
            _, first, last = keys[group.start]
            yield from self._logits(states, torch.stack(read[group]), first, last)

    def _bases(self, tokens: Tensor) -> Tensor:
        """What the convolutions before the stem make of rows of equal length, shape (rows, bases, channels)."""
        states = self._entering[tokens]
        if self._first is not None:
            states = self._first(states, tokens)
        for layer in self._base[1:]:
            _add(layer, states)
        return states

    def _read(self, rows: list[Tensor]) -> list[Tensor]:
        """What the body makes of the positions of each row, shape (positions, width)."""
        body = self._model.body
        if isinstance(body, PairedRecurrent):
            return body.read(rows)
        counts = np.array([len(row) for row in rows], np.int64)
        lengths = torch.from_numpy(counts)
        states = pad_sequence(rows, batch_first=True)
        mask = torch.arange(states.shape[1]) < lengths[:, None]
        read: Tensor = body(Positions(states, mask, lengths, counts)).states
        return [of_row[:count] for of_row, count in zip(read, counts.tolist(), strict=True)]

    def _logits(self, states: Tensor, positions: Tensor, first: int, last: int) -> Tensor:
        """Logits of the bases [first, last) of rows, shape (rows, strands, 12, bases)."""
        model, stride = self._model, self._model.config.stem_stride
        # From and to the end of a position, so that every base has its own.
        start = max(first - self._margin, 0) // stride * stride
        end = min(-(-(last + self._margin) // stride) * stride, states.shape[1])
        normal = model.body_norm(positions[:, start // stride : -(-end // stride)])
        states = states[:, start:end] + model.expand(normal, end - start)
        for layer in self._output:
            _add(layer, states)
        return model.logits(states[:, first - start : last - start])


class FirstLayer:
    """A `PairedResidual` over vectors of tokens: the sum of one vector for each position of its kernel.

    Args:
        layer: the layer, of dilation 1.
        vectors: what it reads for every id, shape (ids, channels).
    """

    def __init__(self, layer: PairedResidual, vectors: Tensor) -> None:
        weights, bias = layer.convolution.weights(), layer.convolution.biases()
        self._kernel = layer.convolution.kernel
        products = torch.stack([vectors @ weights[..., place].T for place in range(self._kernel)]).float()
        # The token in the middle is always there.
        products[self._kernel // 2] += bias
        # What lies beyond the ends of a row has an id of its own, and adds nothing.
        self._beyond = len(vectors)
        self._products = pad(products, (0, 0, 0, 1)).flatten(0, 1)
        self._rows = torch.arange(self._kernel) * (self._beyond + 1)
        self._scale = torch.cat([layer.scale, layer.scale])

    def __call__(self, states: Tensor, tokens: Tensor) -> Tensor:
        """New vectors of rows, in the memory of those given.

        Args:
            states: the vectors of their tokens, shape (rows, bases, channels).
            tokens: ids, int64, shape (rows, bases).
        """
        around = pad(tokens, (self._kernel // 2, self._kernel // 2), value=self._beyond)
        products = around.unfold(1, self._kernel, 1) + self._rows
        convolved = embedding_bag(products.flatten(0, 1), self._products, mode="sum").relu_()
        return states.addcmul_(convolved.view_as(states), self._scale)


def _add(layer: PairedResidual, states: Tensor) -> None:
    """Let a layer change vectors in their memory, shape (rows, bases, channels)."""
    convolved: Tensor = layer.convolution(states).relu_()
    # In bf16 numbers of two kinds would be multiplied, which takes twice the time.
    states.addcmul_(convolved.float(), torch.cat([layer.scale, layer.scale]))


def _groups(keys: Sequence[object]) -> list[slice]:
    """Runs of equal keys, of up to `_ROWS` each."""
    groups = [slice(0, 0)]
    for place, key in enumerate(keys):
        last = groups[-1]
        if place - last.start < _ROWS and key == keys[last.start]:
            groups[-1] = slice(last.start, place + 1)
        else:
            groups.append(slice(place, place + 1))
    return groups


def _positions(states: Tensor) -> Positions:
    """Rows of real positions, shape (rows, positions, width)."""
    rows, count = states.shape[:2]
    lengths = torch.full((rows,), count)
    return Positions(states, torch.ones(rows, count, dtype=torch.bool), lengths, lengths.numpy())


def fits(model: nn.Module) -> TypeGuard[StructureModel]:
    """Whether a model is one of gene structure for evaluation, on a CPU and with weights in float32."""
    if not isinstance(model, StructureModel):
        return False
    weight = model.embedding.weight
    return weight.device.type == "cpu" and weight.dtype == torch.float32 and not model.training
