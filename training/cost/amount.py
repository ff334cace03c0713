"""Bytes by how a CPU's allocator hands them out: mapped one by one and given back at once, or carved out of the heap."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Amount:
    """Bytes that are given back when freed (`mapped`) and bytes of a heap that stays as large as it has been (`heap`)."""

    mapped: float = 0.0
    heap: float = 0.0

    @property
    def total(self) -> float:
        """Both together."""
        return self.mapped + self.heap

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.mapped + other.mapped, self.heap + other.heap)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.mapped - other.mapped, self.heap - other.heap)

    def __mul__(self, times: float) -> Amount:
        return Amount(self.mapped * times, self.heap * times)

    def __lt__(self, other: Amount) -> bool:
        return self.total < other.total


NOTHING = Amount()
