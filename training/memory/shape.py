"""The size of one batch inside a model, and what tensors of such a size take of a device's memory.

On a CPU, glibc carves tensors of up to 32 MiB out of a heap. It asks for aligned blocks with some room to spare, so that a
hole does not take another tensor of its own size, and the heap grows beyond what is in use: by `WASTE` on average.
Larger tensors are mapped one by one and given back at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.config import ModelConfig, TrainingConfig
from training.memory.amount import Amount

Device = Literal["cpu", "cuda"]
FLOAT, ID = 4, 8
MAPPED = 32 * 2**20
SMALL = 128 * 2**10
WASTE = {"lstm": 0.2, "gru": 0.4, "transformer": 0.55}
ENDS_WASTE = 0.9
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
        waste: what the heap loses on a tensor of the body, as a share of it.
    """

    device: Device
    rows: int
    tokens: int
    positions: int
    item: int
    trained: bool
    waste: float

    @classmethod
    def of(cls, model: ModelConfig, training: TrainingConfig, rows: int, tokens: int, device: Device) -> Shape:
        """The shape of a batch of `rows` sequences, the longest of `tokens`."""
        positions = (tokens - 1) // model.stem_stride + 1 if model.stem else tokens
        trained = training.freeze_embedding == 0
        return cls(device, rows, tokens, positions, HALF[training.precision], trained, WASTE[model.kind])

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

    def tensor(self, size: float, *, end: bool = False) -> Amount:
        """A tensor of `size` bytes with what the allocator loses on it; `end`: before the body."""
        if self.device == "cuda" or size > MAPPED:
            return Amount(mapped=size)
        waste = 0.0 if size < SMALL else ENDS_WASTE if end else self.waste
        return Amount(heap=size * (1 + waste))
