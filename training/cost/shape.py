"""The size of one batch inside a model, and how a device allocates tensors of such a size.

On a CPU, tensors of a mebibyte or more go back to the system as soon as they are freed
(`training.engine.process.heap`); smaller ones lie in a heap that never shrinks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.config import ModelConfig, TrainingConfig
from training.cost.amount import Amount

if TYPE_CHECKING:
    from torch import Tensor

Device = Literal["cpu", "cuda"]
Count = TypeVar("Count", int, NDArray[np.int64], "Tensor")
FLOAT, ID = 4, 8
"""Bytes of a float32 and of a token id."""
MAPPED = 2**20
NUMBER_BYTES = {"fp32": FLOAT, "bf16": 2, "fp16": 2}


def mirrored_positions(tokens: Count, stride: int) -> Count:
    """Positions of a sequence that are counted from both its ends, `stride` tokens apart, and meet in its middle.

    Args:
        tokens: of one sequence, or of several as an array or a tensor of any shape.
        stride: tokens from one position to the next.

    Returns:
        As `tokens`, of the same shape.
    """
    between = tokens - 1
    return 2 * (between // (2 * stride)) + 1 + (between % (2 * stride) > 0)


def strands_in_step(model: ModelConfig, training: TrainingConfig) -> int:
    """How many strands of a row a step of training reads: both where they are averaged and none is drawn."""
    return 2 if model.strands == "averaged" and not training.reverse_complement else 1


@dataclass(frozen=True)
class Shape:
    """One padded batch on a device.

    Attributes:
        device: whose kernels and allocator are used.
        rows: sequences.
        tokens: of the longest sequence.
        positions: of the longest sequence after the stem.
        item: bytes of one number of the forward pass.
        trains_embedding: whether token vectors get gradients.
    """

    device: Device
    rows: int
    tokens: int
    positions: int
    item: int
    trains_embedding: bool

    @classmethod
    def of(cls, model: ModelConfig, training: TrainingConfig, rows: int, tokens: int, device: Device) -> Shape:
        """The shape of a batch of `rows` sequences, the longest of which has `tokens` tokens."""
        positions = tokens
        if model.stem:
            is_mirrored = model.strands == "equivariant"
            stride = model.stem_stride
            positions = mirrored_positions(tokens, stride) if is_mirrored else (tokens - 1) // stride + 1
        return cls(device, rows, tokens, positions, NUMBER_BYTES[training.precision], training.trains_embedding)

    def in_frames(self, frames: int) -> Shape:
        """The shape that the body reads where each row is split into `frames` interleaved rows."""
        return replace(self, rows=self.rows * frames, positions=-(-self.positions // frames))

    @property
    def padded_tokens(self) -> int:
        """Tokens of all rows, padding included."""
        return self.rows * self.tokens

    @property
    def padded_positions(self) -> int:
        """Positions of all rows after the stem, padding included."""
        return self.rows * self.positions

    def states(self, width: float) -> Amount:
        """Memory of a vector of the forward pass at every position, `width` numbers each."""
        return self.tensor(self.item * self.padded_positions * width)

    def tensor(self, size: float) -> Amount:
        """Memory of a tensor of `size` bytes."""
        return Amount(heap=size) if self.device == "cpu" and size < MAPPED else Amount(mapped=size)
