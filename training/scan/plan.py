"""A genome cut into the tasks of a scan, by content alone: pieces of its sequences, small ones together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.build import task_plan
from training.scan.grid import Grid

TASK_BASES = 1 << 18


@dataclass(frozen=True)
class Piece:
    """Some bins of a sequence.

    Attributes:
        chromosome: the sequence.
        length: its bases.
        first, last: its bins [first, last).
    """

    chromosome: str
    length: int
    first: int
    last: int

    @property
    def bins(self) -> int:
        """How many."""
        return self.last - self.first

    def bases(self, grid: Grid) -> int:
        """Of all its bins."""
        first, last = grid.edges(self.length, self.first, self.last)[[0, -1]].tolist()
        return int(last - first)


def order(lengths: Mapping[str, int], grid: Grid) -> list[str]:
    """The sequences that are scanned, by name, byte for byte, as genome browsers' tools sort them.

    Those shorter than a window are left out: a model was not trained on them, and calls most short ones genes.
    """
    return sorted((name for name, length in lengths.items() if length >= grid.window), key=str.encode)


def pieces(lengths: Mapping[str, int], grid: Grid) -> list[Piece]:
    """Every bin of every sequence once, in order, at most `TASK_BASES` bases a piece."""
    bins = max(TASK_BASES // grid.stride, 1)
    return [
        Piece(name, lengths[name], first, min(first + bins, grid.bins(lengths[name])))
        for name in order(lengths, grid)
        for first in range(0, grid.bins(lengths[name]), bins)
    ]


def tasks(lengths: Mapping[str, int], grid: Grid) -> list[list[Piece]]:
    """Pieces put together up to `TASK_BASES`."""
    every = pieces(lengths, grid)
    sizes = [piece.bins * grid.stride for piece in every]
    return [every[run] for run in task_plan.group_sizes(sizes, TASK_BASES)]
