"""A batch of token sequences as one flat array and their lengths: padded only where a model needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.tokens.vocabulary import PAD
from training.data.dropout_keys import keys_of_other_strand


@dataclass(frozen=True)
class TokenBatch:
    """Sequences of token ids.

    Attributes:
        tokens: ids end to end, int64, shape (tokens,).
        lengths: tokens of each sequence, int64, shape (rows,).
        labels: 1 gene, 0 negative, or the number of a class; float32, shape (rows,).
        counts: the lengths on the host, shape (rows,): reading them from a GPU would wait for the GPU.
        one_strand: whether the strand on which each row is read was drawn: a model of both strands reads that alone.
        dropout_keys: what masks of dropout are drawn from, int32, shape (rows,); None: from torch's random state.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    counts: NDArray[np.int64]
    one_strand: bool = field(default=False, kw_only=True)
    dropout_keys: Tensor | None = field(default=None, kw_only=True)

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return int(self.counts.max())

    def to(self, device: torch.device) -> Self:
        """The same batch on a device."""
        return self.mapped(lambda part: part.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory, from which a GPU copies while the host continues."""
        return self.mapped(Tensor.pin_memory)

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The batch with a function applied to each of its tensors."""
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        changed: dict[str, Any] = {name: function(part) for name, part in parts.items() if isinstance(part, Tensor)}
        return replace(self, **changed)

    def reverse_complement(self, complements: Tensor) -> TokenBatch:
        """The reverse complement of each row.

        Args:
            complements: the id of each token's reverse complement, int64, shape (ids,).
        """
        ends = torch.cumsum(self.lengths, 0)
        row = torch.repeat_interleave(
            torch.arange(len(self.counts), device=self.lengths.device), self.lengths, output_size=len(self.tokens)
        )
        position = torch.arange(len(self.tokens), device=self.lengths.device)
        mirrored = (2 * ends - self.lengths)[row] - 1 - position
        keys = None if self.dropout_keys is None else keys_of_other_strand(self.dropout_keys)
        return replace(self, tokens=complements[self.tokens[mirrored]], dropout_keys=keys)

    def mask(self) -> Tensor:
        """True where a padded matrix holds a token, shape (rows, longest)."""
        return torch.arange(self.longest, device=self.lengths.device) < self.lengths[:, None]

    def padded(self) -> Tensor:
        """Ids with `<pad>` after the end of each sequence, shape (rows, longest)."""
        mask = self.mask()
        return torch.full(mask.shape, PAD, dtype=torch.int64, device=mask.device).masked_scatter_(mask, self.tokens)


def collate(
    tokens: NDArray[Any],
    offsets: NDArray[np.int64],
    labels: NDArray[Any],
    rows: NDArray[np.int64],
    turned: NDArray[np.bool_] | None = None,
    complements: NDArray[Any] | None = None,
) -> TokenBatch:
    """Gather rows of a flat token array.

    Args:
        tokens: ids of all rows end to end, shape (tokens,).
        offsets: where each row starts, shape (all rows + 1,).
        labels: shape (all rows,).
        rows: row numbers to gather, shape (rows,).
        turned: which of these rows are read on their other strand, shape (rows,); None: none.
        complements: the id of each token's reverse complement, shape (ids,); needed where rows are turned.
    """
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    if turned is not None:
        is_turned = np.repeat(turned, lengths)
        within = np.where(is_turned, np.repeat(lengths, lengths) - 1 - within, within)
    flat = tokens[np.repeat(starts, lengths) + within]
    if turned is not None and complements is not None:
        flat = np.where(is_turned, complements[flat], flat)
    return TokenBatch(
        torch.from_numpy(flat.astype(np.int64)),
        torch.from_numpy(lengths),
        torch.from_numpy(labels[rows].astype(np.float32)),
        lengths,
        one_strand=turned is not None,
    )
