"""A genome cut into overlapping tiles that a network reads, and tiles put together as tasks. Pure arithmetic.

A tile has the length that the network was trained on. At either side it has bases that are read for context, and whose
scores are discarded; a base in the middle of a sequence is read 1.2 times on average. A sequence's ends have no context
to discard, so that a sequence up to the length of a tile is one tile. All depends on the content alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.build import task_plan

TASK_BASES = 1 << 19
# Of six bases of a tile, the scores of five count.
PARTS, COUNTED = 6, 5


@dataclass(frozen=True)
class Tiling:
    """How long tiles are, and how many of their bases count.

    Attributes:
        window: bases of a tile.
        step: bases from one tile's start to the next's.
        context: bases at either side whose scores are discarded.
        stride: bases per position of the network's body: tiles start at its multiples, so that a network whose context
            covers all that it sees gives the scores of one pass over the whole sequence.
    """

    window: int
    step: int
    context: int
    stride: int = 1

    @classmethod
    def of(cls, window: int, stride: int) -> Tiling:
        """The tiling for a network trained on windows of `window` bases, with a body of that stride."""
        window = max(window, stride)
        step = max(window * COUNTED // PARTS // stride, 1) * stride
        return cls(window, step, (window - step) // 2 // stride * stride, stride)

    def tiles(self, length: int) -> int:
        """Number of tiles of a sequence."""
        return 1 + max(-(-(length - self.window) // self.step), 0)

    def read(self, length: int, tile: int) -> tuple[int, int]:
        """Start and end of what a tile reads; at most `window` bases."""
        start = tile * self.step
        if tile and tile == self.tiles(length) - 1:
            # As long as the others, for more context.
            start = -(-(length - self.window) // self.stride) * self.stride
        return start, min(start + self.window, length)

    def counted(self, length: int, tile: int) -> tuple[int, int]:
        """Start and end of those bases whose scores count: of all tiles of a sequence, each base once."""
        start = tile * self.step + self.context if tile else 0
        is_last = tile == self.tiles(length) - 1
        return start, length if is_last else (tile + 1) * self.step + self.context


@dataclass(frozen=True)
class Piece:
    """Some neighbouring tiles of a sequence.

    Attributes:
        chromosome: name of the sequence.
        length: number of its bases.
        first, last: its tiles [first, last).
    """

    chromosome: str
    length: int
    first: int
    last: int

    def counted(self, tiling: Tiling) -> tuple[int, int]:
        """Start and end of the bases whose scores count."""
        return tiling.counted(self.length, self.first)[0], tiling.counted(self.length, self.last - 1)[1]

    def bases(self, tiling: Tiling) -> int:
        """Number of those bases."""
        start, end = self.counted(tiling)
        return end - start


def plan_tasks(lengths: Mapping[str, int], tiling: Tiling) -> list[list[Piece]]:
    """Every base of a genome once, in the order of its sequences: pieces, grouped up to `TASK_BASES` bases a task.

    Sequences without a base are left out.
    """
    tiles = max(TASK_BASES // tiling.step, 1)
    pieces = [
        Piece(name, length, first, min(first + tiles, tiling.tiles(length)))
        for name, length in lengths.items()
        if length
        for first in range(0, tiling.tiles(length), tiles)
    ]
    return [pieces[group] for group in task_plan.group_sizes([piece.bases(tiling) for piece in pieces], TASK_BASES)]
