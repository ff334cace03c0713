"""A chromosome cut into contiguous blocks, each of one split, before anything is placed on it.

A negative goes where its gene's split lies, so that every split has as many negatives as genes and matching holds
within each. Blocks end between clusters of overlapping genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals

MOST_BLOCKS, SMALLEST_BLOCK = 8, 25


@dataclass(frozen=True)
class Blocks:
    """Blocks of one chromosome in their order.

    Attributes:
        ends: where each ends and the next begins, the last one at the chromosome's end, shape (blocks,).
        splits: the split of each.
    """

    ends: NDArray[np.int64]
    splits: tuple[str, ...]

    @classmethod
    def whole(cls, length: int) -> Blocks:
        """One block without a name."""
        return cls(np.array([length], np.int64), ("",))

    @property
    def names(self) -> list[str]:
        """Each split once."""
        return list(dict.fromkeys(self.splits))

    def numbers(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each start, the number in `names` of the split it lies in, shape (n,)."""
        number = np.array([self.names.index(split) for split in self.splits], np.int64)
        return number[np.searchsorted(self.ends, starts, side="right").clip(max=len(self.ends) - 1)]

    def of(self, split: str) -> Intervals:
        """The blocks of a split, in their order, shape (m, 2)."""
        begins = np.append(0, self.ends[:-1])
        mine = np.array([name == split for name in self.splits])
        return np.stack([begins, self.ends], axis=1)[mine]


def cut(genes: Intervals, length: int, shares: dict[str, float], seed: int) -> Blocks:
    """Blocks at seeded places, several for each held-out split, for one alone may lie where genes are rare.

    Args:
        genes: shape (genes, 2), at least one.
        length: bases of the chromosome.
        shares: held-out split to its share of the genes.
        seed: of the blocks' places.

    Returns:
        For each held-out split up to `MOST_BLOCKS`, of some `SMALLEST_BLOCK` genes or more.
    """
    generator = np.random.default_rng(seed)
    wanted: list[tuple[str, float]] = []
    for split, share in shares.items():
        blocks = int(np.clip(share * len(genes) // SMALLEST_BLOCK, 1, MOST_BLOCKS)) if share > 0 else 0
        wanted += [(split, share / max(blocks, 1))] * blocks
    generator.shuffle(wanted)
    train = 1 - sum(share for _, share in wanted)
    gaps = np.diff(np.sort(generator.random(len(wanted))) * train, prepend=0.0)
    pieces: list[tuple[str, float]] = []
    for gap, held_out in zip(gaps.tolist(), wanted, strict=True):
        pieces += [("train", gap), held_out]
    pieces.append(("train", 1.0))
    piece_ends = np.minimum(np.cumsum([share for _, share in pieces]), 1.0)
    clusters = intervals.merge(genes)
    sizes = np.bincount(intervals.clusters(genes))
    middle = (np.cumsum(sizes) - sizes / 2) / len(genes)
    piece = np.searchsorted(piece_ends, middle, side="right").clip(max=len(pieces) - 1)
    splits = [pieces[number][0] for number in piece]
    last = [number for number in range(len(splits) - 1) if splits[number] != splits[number + 1]]
    between = [int(clusters[number, 1] + clusters[number + 1, 0]) // 2 for number in last]
    return Blocks(np.array([*between, length], np.int64), (*(splits[number] for number in last), splits[-1]))
