"""Layers that read both strands alike: turning the sequence turns what they give, and changes nothing else.

The first half of a vector belongs to the strand that is read and the second half to the other one. The reverse
complement of a sequence then has the same vectors, in reverse order and with their halves exchanged, if every weight
of one half has its counterpart in the other (Shrikumar et al. 2017, doi:10.1101/103663; Zhou et al. 2022, PMLR 165).
Half of the weights are stored. Gradients of both strands add up in them: at equal steps the loss falls to a value that
twice as many free weights with randomly turned windows reach much later.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear

from training.models.cnn import convolve


def exchanged(values: Tensor, dimension: int = -1) -> Tensor:
    """The halves of a dimension in the other order."""
    first, second = values.chunk(2, dimension)
    return torch.cat([second, first], dimension)


class PairedConvolution(nn.Module):
    """A convolution over vectors of (rows, positions, width), channels last.

    Args:
        width: of a vector that comes in; even.
        channels: of one that goes out; even.
        kernel: number of positions.
        stride: positions from one output to the next.
        dilation: positions from one weight to the next.
        padding: zeros before and after each row; None: what keeps an output centred on its position.
        gain: standard deviation of the outputs for inputs of variance 1, about.
    """

    def __init__(
        self,
        width: int,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: int | None = None,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        bound = gain * math.sqrt(3 / (width * kernel))
        self.weight = nn.Parameter(torch.empty(channels // 2, width, kernel).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels // 2))
        self.stride, self.dilation = stride, dilation
        self.padding = dilation * (kernel // 2) if padding is None else padding

    @property
    def kernel(self) -> int:
        """Number of positions."""
        return self.weight.shape[2]

    def weights(self) -> Tensor:
        """Of both halves, shape (channels, width, kernel)."""
        return torch.cat([self.weight, exchanged(self.weight, 1).flip(2)])

    def biases(self) -> Tensor:
        """Of both halves, shape (channels,)."""
        return torch.cat([self.bias, self.bias])

    def forward(self, states: Tensor) -> Tensor:
        """Shape (rows, positions, width) to (rows, positions / stride, channels)."""
        return convolve(states, self.weights(), self.biases(), self.stride, self.dilation, self.padding)


class PairedLinear(nn.Module):
    """A linear map of vectors; sizes as in `PairedConvolution`."""

    def __init__(self, width: int, channels: int, *, gain: float = 1.0) -> None:
        super().__init__()
        bound = gain * math.sqrt(3 / width)
        self.weight = nn.Parameter(torch.empty(channels // 2, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels // 2))

    def weights(self) -> Tensor:
        """Of both halves, shape (channels, width)."""
        return torch.cat([self.weight, exchanged(self.weight, 1)])

    def biases(self) -> Tensor:
        """Of both halves, shape (channels,)."""
        return torch.cat([self.bias, self.bias])

    def forward(self, states: Tensor) -> Tensor:
        """Shape (..., width) to (..., channels)."""
        return linear(states, self.weights(), self.biases())


class PairedNorm(nn.Module):
    """A norm over the numbers of a vector of even width (Ba et al. 2016, arXiv:1607.06450)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width // 2))
        self.bias = nn.Parameter(torch.zeros(width // 2))

    def forward(self, states: Tensor) -> Tensor:
        """Shape (..., width), as given."""
        weight, bias = torch.cat([self.weight, self.weight]), torch.cat([self.bias, self.bias])
        return layer_norm(states, weight.shape, weight, bias)


class PairedResidual(nn.Module):
    """A dilated convolution and a rectifier, added to the input with a weight for each channel.

    The weights begin small, so that a network of many layers begins as one of few (Bachlechner et al. 2021,
    arXiv:2003.04887), and no norm is needed at every base.

    Args:
        channels: of a vector; even.
        kernel: odd number of positions.
        dilation: positions from one weight to the next.
    """

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.convolution = PairedConvolution(channels, channels, kernel, dilation=dilation, gain=RECTIFIED)
        self.scale = nn.Parameter(torch.full((channels // 2,), FIRST_SCALE))

    def forward(self, states: Tensor, padding: Tensor | None) -> Tensor:
        """New vectors, zero after the end of a row if those that come in are.

        Args:
            states: shape (rows, positions, channels).
            padding: True after the end of a row, shape (rows, positions); None if all rows are equally long.
        """
        # In place: the convolution does not save its result.
        convolved = without_padding_(self.convolution(states), padding).relu_()
        return torch.addcmul(states, convolved, torch.cat([self.scale, self.scale]))


def without_padding_(states: Tensor, padding: Tensor | None) -> Tensor:
    """The same tensor with zeros where padding, shape (rows, positions), is True."""
    return states if padding is None else states.masked_fill_(padding[..., None], 0)


RECTIFIED = math.sqrt(2)
"""Gain before a rectifier, which halves the variance (He et al. 2015, arXiv:1502.01852)."""
FIRST_SCALE = 0.3
