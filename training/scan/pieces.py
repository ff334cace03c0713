"""A genome cut into pieces, and pieces put together as the tasks of a scan. Depends on the content alone."""

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
        chromosome: name of the sequence.
        length: number of its bases.
        first, last: its bins [first, last).
    """

    chromosome: str
    length: int
    first: int
    last: int

    @property
    def bins(self) -> int:
        """Number of bins."""
        return self.last - self.first

    def bases(self, grid: Grid) -> int:
        """Number of bases of all its bins."""
        first, last = grid.edges(self.length, self.first, self.last)[[0, -1]].tolist()
        return int(last - first)


def scanned_sequences(lengths: Mapping[str, int], grid: Grid) -> list[str]:
    """Names of the sequences that are scanned, sorted byte for byte, as genome browsers' tools sort them.

    Sequences shorter than a window are left out: a model was not trained on them, and calls most of them genes.
    """
    return sorted((name for name, length in lengths.items() if length >= grid.window), key=str.encode)


def split_sequences(lengths: Mapping[str, int], grid: Grid) -> list[Piece]:
    """Every bin of every scanned sequence once, in order, in pieces of at most `TASK_BASES` bases."""
    bins = max(TASK_BASES // grid.stride, 1)
    return [
        Piece(name, lengths[name], first, min(first + bins, grid.bins(lengths[name])))
        for name in scanned_sequences(lengths, grid)
        for first in range(0, grid.bins(lengths[name]), bins)
    ]


def plan_tasks(lengths: Mapping[str, int], grid: Grid) -> list[list[Piece]]:
    """The pieces, grouped in order up to `TASK_BASES` bases a task."""
    pieces = split_sequences(lengths, grid)
    sizes = [piece.bins * grid.stride for piece in pieces]
    return [pieces[group] for group in task_plan.group_sizes(sizes, TASK_BASES)]
