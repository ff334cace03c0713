"""A batch of token sequences as one flat array and their lengths: padded only where a model needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.tokens.vocabulary import PAD


@dataclass(frozen=True)
class TokenBatch:
    """Sequences of token ids.

    Attributes:
        tokens: ids end to end, int64, shape (tokens,).
        lengths: tokens of each sequence, int64, shape (rows,).
        labels: 1 gene, 0 negative, float32, shape (rows,).
        counts: the lengths on the host, shape (rows,): reading them from a GPU would wait for the GPU.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    counts: NDArray[np.int64]

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return int(self.counts.max())

    def to(self, device: torch.device) -> TokenBatch:
        """The same batch on a device."""
        tokens, lengths, labels = (
            part.to(device, non_blocking=True) for part in (self.tokens, self.lengths, self.labels)
        )
        return TokenBatch(tokens, lengths, labels, self.counts)

    def pin_memory(self) -> TokenBatch:
        """The same batch in page-locked memory, from which a GPU copies while the host continues."""
        tokens, lengths, labels = (part.pin_memory() for part in (self.tokens, self.lengths, self.labels))
        return TokenBatch(tokens, lengths, labels, self.counts)

    def mask(self) -> Tensor:
        """True where a padded matrix holds a token, shape (rows, longest)."""
        return torch.arange(self.longest, device=self.lengths.device) < self.lengths[:, None]

    def padded(self) -> Tensor:
        """Ids with `<pad>` after the end of each sequence, shape (rows, longest)."""
        mask = self.mask()
        return torch.full(mask.shape, PAD, dtype=torch.int64, device=mask.device).masked_scatter_(mask, self.tokens)


def collate(
    tokens: NDArray[Any], offsets: NDArray[np.int64], labels: NDArray[Any], rows: NDArray[np.int64]
) -> TokenBatch:
    """Gather rows of a flat token array.

    Args:
        tokens: ids of all rows end to end, shape (tokens,).
        offsets: where each row starts, shape (all rows + 1,).
        labels: shape (all rows,).
        rows: row numbers to gather, shape (rows,).
    """
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    flat = tokens[np.repeat(starts, lengths) + within]
    return TokenBatch(
        torch.from_numpy(flat.astype(np.int64)),
        torch.from_numpy(lengths),
        torch.from_numpy(labels[rows].astype(np.float32)),
        lengths,
    )
