"""A convolution over token vectors, which on a CPU is a sum of rows of a table.

The product of every token's vector with the weights of every place in the kernel is a table of (ids, places) rows; the
convolution at a base adds up the rows of the tokens around it. For k-mers of three bases the table has 603 rows, and
the forward pass takes a tenth of the time of the multiplications.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag, pad

from pipelines.tokens.vocabulary import PAD
from training.structure.paired import PairedConvolution

LARGEST_TABLE = 1 << 12
"""Ids up to which the table fits the cache of a CPU, so that looking up is faster than multiplying."""


def uses_table(device: str, vocabulary_size: int) -> bool:
    """Whether the table is used: on a CPU, for a vocabulary that is not too large."""
    return device == "cpu" and vocabulary_size <= LARGEST_TABLE


class TokenConvolution(nn.Module):
    """A convolution over the vectors of tokens; those of `<pad>` are zeros, as is what lies outside a row.

    Args:
        width: of a token's vector.
        channels: of a base's vector that goes out.
        kernel: odd number of bases.
    """

    def __init__(self, width: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.convolution = PairedConvolution(width, channels, kernel)

    def forward(self, tokens: Tensor, vectors: Tensor) -> Tensor:
        """Vectors of bases.

        Args:
            tokens: ids, shape (rows, bases).
            vectors: of all ids, shape (ids, width).

        Returns:
            Shape (rows, bases, channels).
        """
        if not uses_table(tokens.device.type, len(vectors)):
            out: Tensor = self.convolution(embedding(tokens, vectors))
            return out
        weights = self.convolution.weights()
        channels, width, kernel = weights.shape
        products = (vectors @ weights.permute(1, 2, 0).reshape(width, -1)).float().view(-1, kernel, channels)
        # Every base adds up one row of the place in the middle, which therefore includes the bias.
        bias = pad(self.convolution.biases()[None], (0, 0, kernel // 2, kernel // 2))
        summed: Tensor = _Sum.apply((products + bias).flatten(0, 1), tokens, kernel)  # type: ignore[no-untyped-call]
        return summed


class _Sum(torch.autograd.Function):
    """Rows of the table added up; torch's own gradient of a bag takes five times as long as these index_adds."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, tokens: Tensor, kernel: int) -> Tensor:
        around = pad(tokens.int(), (kernel // 2, kernel // 2), value=PAD)
        ctx.save_for_backward(around)
        ctx.kernel, ctx.rows = kernel, len(table)
        places = torch.arange(kernel, dtype=torch.int32, device=tokens.device)
        bags = (around.unfold(1, kernel, 1) * kernel + places).reshape(-1, kernel)
        return embedding_bag(bags, table, mode="sum").view(*tokens.shape, -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (around,) = ctx.saved_tensors
        bases, channels = gradient.shape[1:]
        flat = gradient.reshape(-1, channels)
        of_table = gradient.new_zeros(ctx.kernel, ctx.rows // ctx.kernel, channels)
        for place, of_place in enumerate(of_table):
            of_place.index_add_(0, around[:, place : place + bases].reshape(-1), flat)
        return of_table.transpose(0, 1).reshape(-1, channels), None, None
