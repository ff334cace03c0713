"""A batch of windows of a genome: a token and a state of both strands for every base, shifted and turned as drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.structure.states import MASKED, reverse_complement
from training.data.batch import TokenBatch
from training.structure.windows import Windows

BOTH_MASKED = MASKED | MASKED << 4
"""The packed state of what counts on neither strand."""


@dataclass(frozen=True)
class StructureBatch(TokenBatch):
    """Windows of token ids, one a base, with states.

    Attributes:
        states: of both strands, packed, end to end as `tokens`, uint8, shape (bases,).
    """

    states: Tensor

    def padded_states(self) -> Tensor:
        """Packed states, masked on both strands after the end of each window, shape (rows, longest)."""
        mask = self.mask()
        return torch.full(mask.shape, BOTH_MASKED, dtype=torch.uint8, device=mask.device).masked_scatter_(
            mask, self.states
        )


def collate(
    windows: Windows, rows: NDArray[np.int64], shifts: NDArray[np.int64], turned: NDArray[np.bool_]
) -> StructureBatch:
    """Gather windows, each shifted along its stretch and, where it is turned, as the other strand reads it.

    Args:
        windows: of the split.
        rows: row numbers to gather, shape (rows,).
        shifts: bases added to the start and to the end of each window, clipped so that it stays within its stretch,
            int64, shape (rows,).
        turned: True where the reverse complement is wanted, shape (rows,).
    """
    starts, lengths = windows.offsets[rows], windows.offsets[rows + 1] - windows.offsets[rows]
    first, last = windows.stretches[rows].T
    starts = np.clip(starts + shifts, first, last - lengths)
    tokens = np.empty(int(lengths.sum()), np.int64)
    states = np.empty(len(tokens), np.uint8)
    ends = np.cumsum(lengths)
    for start, length, end, is_turned in zip(
        starts.tolist(), lengths.tolist(), ends.tolist(), turned.tolist(), strict=True
    ):
        window, target = slice(start, start + length), slice(end - length, end)
        if is_turned:
            tokens[target] = windows.reverse_complements[windows.tokens[window][::-1]]
            states[target] = reverse_complement(windows.states[window])
        else:
            tokens[target] = windows.tokens[window]
            states[target] = windows.states[window]
    return StructureBatch(
        torch.from_numpy(tokens),
        torch.from_numpy(lengths),
        torch.from_numpy(windows.labels[rows].astype(np.float32)),
        lengths,
        torch.from_numpy(states),
    )
