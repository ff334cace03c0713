"""Attention within sequences, in one of two layouts.

Padded rows work anywhere. Packed rows, without padding, need a GPU in half precision that serves them: NVIDIA from
Ampere on, or AMD where PyTorch's flash attention is built for the GPU.

Both take queries, keys and values of every position and give the same result. A window limits how far a position looks
to either side. Padded without a window, a score is computed for every pair of positions; with one, only for pairs in
neighbouring blocks, so that memory grows with positions x window.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from training.models.positions import Positions


class Layout(Protocol):
    """How the positions of a batch are laid out while they pass through the layers."""

    indices: Tensor
    """The index of each position in its sequence, in the layout's shape."""

    def into(self, states: Tensor) -> Tensor:
        """From (rows, positions, width) to the layout's shape with width at the end."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention of each head; arguments and result have the layout's shape with (heads, size) at the end."""

    def back(self, states: Tensor) -> Tensor:
        """The reverse of `into`; positions after the end of a row are zero."""


class Padded:
    """Rows padded to the longest: the layout of the input.

    Args:
        positions: the batch.
        window: positions that one looks at on either side; 0: all.
    """

    def __init__(self, positions: Positions, window: int) -> None:
        self._positions, self._window = positions, window
        self.indices = torch.arange(positions.mask.shape[1], device=positions.mask.device)

    def into(self, states: Tensor) -> Tensor:
        return states

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        mask = self._positions.mask
        if self._window and self._window < mask.shape[1]:
            return windowed(query, key, value, mask, self._window).transpose(1, 2)
        # Without a mask the flash kernels serve more cases.
        full = self._positions.total == mask.numel()
        keys = None if full else mask[:, None, None, :]
        return scaled_dot_product_attention(query, key, value, attn_mask=keys).transpose(1, 2)

    def back(self, states: Tensor) -> Tensor:
        return states.masked_fill(~self._positions.mask[..., None], 0)


def windowed(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, window: int) -> Tensor:
    """Attention to positions at most `window` away, block by block.

    Args:
        query: shape (rows, heads, positions, size), as are `key` and `value`.
        mask: True where a position is real, shape (rows, positions).
        window: positions on either side; the length of a block.
    """
    rows, heads, positions, size = query.shape
    blocks = -(-positions // window)
    padding = blocks * window - positions
    queries = pad(query, (0, 0, 0, padding)).view(rows, heads, blocks, window, size)
    keys, values = (_with_neighbours(pad(part, (0, 0, 0, padding)), window, 2) for part in (key, value))
    real = _with_neighbours(pad(mask, (0, padding)), window, 1)
    offset = torch.arange(window, device=mask.device)
    distance = torch.arange(-window, 2 * window, device=mask.device)[None, :] - offset[:, None]
    near = (distance.abs() <= window) & real[:, :, None, :]
    # After the end of a row nothing is near, and a softmax over nothing is NaN: there a position looks at itself.
    near = near | (distance == 0)
    attended = scaled_dot_product_attention(queries, keys, values, attn_mask=near[:, None])
    return attended.reshape(rows, heads, blocks * window, size)[:, :, :positions]


def _with_neighbours(values: Tensor, window: int, dimension: int) -> Tensor:
    """Each block of `window` positions with the one before and the one after it: (..., blocks, 3 x window, ...)."""
    shape = list(values.shape)
    blocks = shape[dimension] // window
    shape[dimension : dimension + 1] = [blocks, window]
    cut = values.view(shape)
    after_dimension = [0, 0] * (cut.dim() - dimension - 1)
    wide = pad(cut, [*after_dimension, 1, 1])
    parts = [wide.narrow(dimension, shift, blocks) for shift in range(3)]
    return torch.cat(parts, dim=dimension + 1)


class Packed:
    """The real positions end to end, without padding. CUDA or ROCm, half precision, torch's varlen attention.

    Args:
        positions: the batch.
        window: positions that one looks at on either side; 0: all.
    """

    def __init__(self, positions: Positions, window: int) -> None:
        self._positions = positions
        self._window = (window, window) if window else (-1, -1)
        self._flat_index = torch.nonzero_static(positions.mask.reshape(-1), size=positions.total).squeeze(1)
        self._bounds = pad(positions.lengths.cumsum(0), (1, 0)).to(torch.int32)
        self._longest = positions.mask.shape[1]
        self.indices = self._flat_index % self._longest

    @staticmethod
    def is_available(states: Tensor, size: int) -> bool:
        """Whether the device computes it, for states of that type and heads of that size."""
        return states.dtype in (torch.float16, torch.bfloat16) and serves(states.device, states.dtype, size)

    def into(self, states: Tensor) -> Tensor:
        return states.reshape(-1, states.shape[2])[self._flat_index]

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        varlen = _varlen()
        assert varlen is not None
        attended = varlen(
            query, key, value, self._bounds, self._bounds, self._longest, self._longest, window_size=self._window
        )
        assert isinstance(attended, Tensor)
        return attended

    def back(self, states: Tensor) -> Tensor:
        rows, positions = self._positions.mask.shape
        flat = states.new_zeros(rows * positions, states.shape[1]).index_copy(0, self._flat_index, states)
        return flat.view(rows, positions, -1)


@lru_cache
def serves(device: torch.device, dtype: torch.dtype, size: int) -> bool:
    """Whether torch's varlen attention computes, forward and backward, on a device: tried once.

    Older GPUs, head sizes that are no multiple of 8, and builds without flash attention do not.
    """
    varlen = _varlen()
    if varlen is None:
        return False
    with torch.inference_mode(False), torch.enable_grad():
        sample = torch.ones(2, 1, size, dtype=dtype, device=device, requires_grad=True)
        bounds = torch.tensor([0, 2], dtype=torch.int32, device=device)
        try:
            attended = varlen(sample, sample, sample, bounds, bounds, 2, 2, window_size=(1, 1))
            assert isinstance(attended, Tensor)
            attended.sum().backward()  # type: ignore[no-untyped-call]
        except (RuntimeError, TypeError, ValueError):
            return False
    return True


@lru_cache
def _varlen() -> Callable[..., Any] | None:
    """torch's varlen attention; None before torch 2.10. Its import takes 1.5 s, which CPUs need not wait for."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn
