"""The size of one batch inside a model, and how tensors of such a size are allocated on a device.

On a CPU tensors of a mebibyte and more go back to the system as soon as they are freed (`training.heap.spared`); smaller ones
lie in a heap that stays as large as it has been.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from training.config import ModelConfig, TrainingConfig
from training.cost.amount import Amount

Device = Literal["cpu", "cuda"]
FLOAT, ID = 4, 8
MAPPED = 2**20
HALF = {"fp32": FLOAT, "bf16": 2, "fp16": 2}


@dataclass(frozen=True)
class Shape:
    """One batch, padded, on a device.

    Attributes:
        device: whose kernels and allocator.
        rows: sequences.
        tokens: of the longest.
        positions: of the longest after the stem.
        item: bytes of a number of the forward pass.
        trained: whether token vectors get gradients.
    """

    device: Device
    rows: int
    tokens: int
    positions: int
    item: int
    trained: bool

    @classmethod
    def of(cls, model: ModelConfig, training: TrainingConfig, rows: int, tokens: int, device: Device) -> Shape:
        """The shape of a batch of `rows` sequences, the longest of `tokens`."""
        positions = (tokens - 1) // model.stem_stride + 1 if model.stem else tokens
        trained = training.freeze_embedding == 0
        return cls(device, rows, tokens, positions, HALF[training.precision], trained)

    def apart(self, frames: int) -> Shape:
        """What the body sees of it where it reads each row as so many interleaved ones."""
        return replace(self, rows=self.rows * frames, positions=-(-self.positions // frames))

    @property
    def padded(self) -> int:
        """Tokens of all rows, padding included."""
        return self.rows * self.tokens

    @property
    def places(self) -> int:
        """Positions of all rows, padding included."""
        return self.rows * self.positions

    def states(self, width: float) -> Amount:
        """A vector of the forward pass at every position."""
        return self.tensor(self.item * self.places * width)

    def tensor(self, size: float) -> Amount:
        """A tensor of `size` bytes."""
        return Amount(heap=size) if self.device == "cpu" and size < MAPPED else Amount(mapped=size)
