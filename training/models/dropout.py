"""Dropout whose masks are a function of (seed, epoch, row) and of the place in the network, and of nothing else.

torch draws masks from one stream of random numbers, in the order in which values are computed: another number of
workers, another token budget or another layout drops other values. Here the bits of a value are a hash of the key of
its row, of its position, of its number within the vector and of the place in the network. So the training curve does
not depend on who computes a row, with which rows, or after which interruption.

The hash is a counter whose bits are mixed by multiplications and shifts (Steele et al. 2014,
doi:10.1145/2660193.2660195), and half of it serves each of two values. On one core of a CPU masks take less time than
those of torch's dropout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

# Odd numbers as int32, whose products wrap: the golden ratio, and the multipliers of a hash of 32 bits.
_GOLDEN, _FIRST, _SECOND = 0x9E3779B9 - (1 << 32), 0x7FEB352D, 0x846CA68B - (1 << 32)
# A value has 16 of the bits, as a signed number.
_LEVELS, _LEAST = 1 << 16, -(1 << 15)
# Shifts keep the sign, so that the bits they bring in are cut off.
_LOW_16, _LOW_17 = (1 << 16) - 1, (1 << 17) - 1


class Dropout(nn.Module):
    """Sets a share of all values to zero in training, and divides the others by what is left.

    Args:
        share: of values that are dropped, from 0 on and below 1; rounded to 1/65,536.

    Attributes:
        place: number of this dropout in its network, by which its masks differ from those of the others.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.place = share, 0

    def forward(self, values: Tensor, keys: Tensor | None) -> Tensor:
        """Values of the same shape.

        Args:
            values: shape (..., width).
            keys: of the vectors, int32, shape (...,), as `keys_of_positions` or of rows; None: masks are drawn from
                torch's random state.
        """
        if not self.training or not self.share:
            return values
        if keys is None:
            return dropout(values, self.share)
        is_kept = _is_kept(keys, values.shape[-1], self.share, self.place).view(values.shape)
        return values * is_kept.to(values.dtype).mul_(1 / (1 - self.share))

    def extra_repr(self) -> str:
        return f"share={self.share}"


def is_used(network: nn.Module) -> bool:
    """Whether a network has a dropout that drops anything."""
    return any(isinstance(part, Dropout) and part.share > 0 for part in network.modules())


def number_places(network: nn.Module) -> None:
    """Give every dropout of a network a number of its own."""
    for number, module in enumerate(part for part in network.modules() if isinstance(part, Dropout)):
        module.place = number


def keys_of_positions(keys: Tensor | None, positions: int) -> Tensor | None:
    """The key of each position of each row.

    Args:
        keys: of the rows, int32, shape (rows,), or None.
        positions: of a row.

    Returns:
        int32, shape (rows, positions), or None.
    """
    if keys is None:
        return None
    return _mixed(keys[:, None] + torch.arange(positions, dtype=torch.int32, device=keys.device) * _GOLDEN)


def _is_kept(keys: Tensor, width: int, share: float, place: int) -> Tensor:
    """Which values stay, shape (keys, width)."""
    pairs = torch.arange((width + 1) // 2, dtype=torch.int32, device=keys.device) * _GOLDEN
    # An odd factor for each place: the same keys give unrelated bits elsewhere.
    bits = _mixed((keys.reshape(-1) * (2 * place + 1) * _SECOND)[:, None] + pairs)
    return bits.view(torch.int16)[:, :width] >= min(round(share * _LEVELS), _LEVELS - 1) + _LEAST


def _mixed(numbers: Tensor) -> Tensor:
    """Bits of which each depends on all bits of a number; int32, changed in place."""
    numbers *= _FIRST
    shifted = (numbers >> 15).bitwise_and_(_LOW_17)
    numbers ^= shifted
    numbers *= _SECOND
    torch.bitwise_right_shift(numbers, 16, out=shifted)
    numbers ^= shifted.bitwise_and_(_LOW_16)
    return numbers
