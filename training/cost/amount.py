"""Bytes by how a CPU's allocator provides them: mapped one by one and returned when freed, or taken from a heap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Amount:
    """An amount of memory.

    Attributes:
        mapped: bytes that the system gets back when they are freed.
        heap: bytes of a heap that never shrinks.
    """

    mapped: float = 0.0
    heap: float = 0.0

    @property
    def total(self) -> float:
        """Mapped and heap bytes together."""
        return self.mapped + self.heap

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.mapped + other.mapped, self.heap + other.heap)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.mapped - other.mapped, self.heap - other.heap)

    def __mul__(self, factor: float) -> Amount:
        return Amount(self.mapped * factor, self.heap * factor)

    def __lt__(self, other: Amount) -> bool:
        return self.total < other.total


NOTHING = Amount()
