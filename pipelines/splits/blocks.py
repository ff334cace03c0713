"""A chromosome cut into contiguous blocks, each of one split, before negatives are placed on it.

A negative is placed in a block of its gene's split, so that every split has as many negatives as genes and they match
within each split. Blocks end between clusters of overlapping genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import intervals
from pipelines.genome.intervals import Intervals

# Blocks per held-out split, and genes per block.
MAX_BLOCKS, MIN_BLOCK_GENES = 8, 25


@dataclass(frozen=True)
class Blocks:
    """Blocks of one chromosome, in order.

    Attributes:
        ends: the end of each, where the next one begins; the last is the end of the chromosome. Shape (blocks,).
        splits: the split of each.
        are_closed: whether nothing may cross from one to the next, which a user may have cut through genes.
    """

    ends: NDArray[np.int64]
    splits: tuple[str, ...]
    are_closed: bool = False

    @classmethod
    def whole(cls, length: int) -> Blocks:
        """A chromosome that is not cut: one block, of no split."""
        return cls(np.array([length], np.int64), ("",))

    @property
    def split_names(self) -> list[str]:
        """The splits of the blocks, each once, in order of their first block."""
        return list(dict.fromkeys(self.splits))

    def borders(self) -> Intervals:
        """The bases on both sides of each border that nothing may cross, shape (borders, 2)."""
        between = self.ends[:-1] if self.are_closed else self.ends[:0]
        return np.stack([between - 1, between + 1], axis=1)

    def _numbers(self) -> NDArray[np.int64]:
        """For each block, the index of its split in `split_names`; shape (blocks,)."""
        index = {split: number for number, split in enumerate(self.split_names)}
        return np.array([index[split] for split in self.splits], np.int64)

    def split_numbers(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each start position, the index in `split_names` of the split of its block; shape (n,)."""
        return self._numbers()[self.holding(starts).clip(max=len(self.ends) - 1)]

    def holding(self, bases: NDArray[np.int64]) -> NDArray[np.int64]:
        """The index of the block that holds each base; shape (n,)."""
        return np.searchsorted(self.ends, bases, side="right")

    def splits_holding(self, bounds: Intervals) -> NDArray[np.int64]:
        """For each interval, the index in `split_names` of the split whose blocks hold all of it, or -1; shape (n,)."""
        numbers = self._numbers()
        first, last = self.holding(bounds[:, 0]), self.holding(bounds[:, 1] - 1)
        changes = np.append(0, np.cumsum(numbers[1:] != numbers[:-1]))
        is_held = (last < len(numbers)) & (bounds[:, 0] >= 0)
        first, last = first.clip(max=len(numbers) - 1), last.clip(max=len(numbers) - 1)
        return np.where(is_held & (changes[first] == changes[last]), numbers[first], -1)

    def of_splits(self) -> list[Intervals]:
        """Start and end of the blocks of each of `split_names`, in order; of shape (m, 2) each."""
        bounds = np.stack([np.append(0, self.ends[:-1]), self.ends], axis=1)
        order = np.argsort(self._numbers(), kind="stable")
        firsts = np.searchsorted(self._numbers()[order], np.arange(1, len(self.split_names)))
        return np.split(bounds[order], firsts)


def cut(genes: Intervals, length: int, shares: dict[str, float], seed: int) -> Blocks:
    """Cut a chromosome into blocks at seeded positions.

    A held-out split has several blocks, since a single one might be in a region that is not like the others.

    Args:
        genes: start and end of each gene, shape (genes, 2), at least one.
        length: bases of the chromosome.
        shares: held-out split to its share of the genes.
        seed: seed of the positions.

    Returns:
        Blocks, for each held-out split up to `MAX_BLOCKS`, of about `MIN_BLOCK_GENES` genes or more.
    """
    generator = np.random.default_rng(seed)
    held_out: list[tuple[str, float]] = []
    for split, share in shares.items():
        blocks = int(np.clip(share * len(genes) // MIN_BLOCK_GENES, 1, MAX_BLOCKS)) if share > 0 else 0
        held_out += [(split, share / max(blocks, 1))] * blocks
    generator.shuffle(held_out)
    train = 1 - sum(share for _, share in held_out)
    # Train is divided at random between the held-out blocks.
    gaps = np.diff(np.sort(generator.random(len(held_out))) * train, prepend=0.0)
    pieces: list[tuple[str, float]] = []
    for gap, block in zip(gaps.tolist(), held_out, strict=True):
        pieces += [("train", gap), block]
    pieces.append(("train", 1.0))
    piece_ends = np.minimum(np.cumsum([share for _, share in pieces]), 1.0)
    clusters = intervals.merge(genes)
    sizes = np.bincount(intervals.clusters(genes))
    # A cluster goes to the piece in which the middle of its genes falls, counted along the chromosome.
    middle = (np.cumsum(sizes) - sizes / 2) / len(genes)
    piece = np.searchsorted(piece_ends, middle, side="right").clip(max=len(pieces) - 1)
    splits = [pieces[number][0] for number in piece]
    last = [number for number in range(len(splits) - 1) if splits[number] != splits[number + 1]]
    between = [int(clusters[number, 1] + clusters[number + 1, 0]) // 2 for number in last]
    return Blocks(np.array([*between, length], np.int64), (*(splits[number] for number in last), splits[-1]))
