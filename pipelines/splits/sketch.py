"""Near-duplicates between splits, by sketches: a fixed sample of every interval's k-mers, compared between intervals.

A k-mer is sampled if the short k-mer at its centre is in a fixed set (a hash below a threshold, the same for a
k-mer and its reverse complement), so that sampling depends on nothing but the k-mer: the idea of FracMinHash (Irber
et al. 2022, doi:10.1101/2022.01.11.475838), at the cost of a table look-up a base. k-mers with another letter than
A, C, G, T are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.sequence import OTHER
from pipelines.tokens.kmer_encoding import BLOCK, kmer_numbers

K = 21
CENTRE = 9
DENSEST = 2
MOST_HASHES = 1_000_000
NEAR = 0.5
REPEATED = 64
MOST_HITS = 1 << 23
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Sketches:
    """Sampled k-mers of intervals.

    Attributes:
        hashes: canonical k-mers as numbers, shape (samples,).
        rows: the interval each was seen in, shape (samples,).
    """

    hashes: Hashes
    rows: NDArray[np.int64]

    def chosen(self, mask: NDArray[np.bool_]) -> Sketches:
        """Some of the samples; the mask has shape (samples,)."""
        return Sketches(self.hashes[mask], self.rows[mask])


def concatenated(parts: Sequence[Sketches]) -> Sketches:
    """All samples of several parts; at least one part."""
    return Sketches(np.concatenate([part.hashes for part in parts]), np.concatenate([part.rows for part in parts]))


NO_SKETCHES = Sketches(np.empty(0, np.uint64), np.empty(0, np.int64))


@dataclass(frozen=True)
class Leakage:
    """How many of one split's intervals have a near-duplicate in another.

    Attributes:
        judged: intervals with at least one sampled k-mer.
        near: those of which at least `NEAR` of the sampled k-mers are in one single interval of the other split.
    """

    judged: int
    near: int


def density(bases: int) -> int:
    """One in how many k-mers is sampled, so that a dataset of so many bases has at most `MOST_HASHES` samples."""
    return max(DENSEST, -(-bases // MOST_HASHES))


def sketch(codes: NDArray[np.uint8], lengths: NDArray[np.int64], rows: NDArray[np.int64], one_in: int) -> Sketches:
    """Sample the k-mers of concatenated sequences.

    Args:
        codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
        lengths: bases of each sequence, shape (sequences,).
        rows: number of each sequence, shape (sequences,).
        one_in: as `density` gives it.
    """
    if len(codes) < K:
        return NO_SKETCHES
    at = _sampled_places(codes, one_in)
    ends = np.cumsum(lengths)
    owner = np.searchsorted(ends, at, side="right")
    inside = at + K <= ends[owner]
    at, owner = at[inside], owner[inside]
    letters = codes[at[:, None] + np.arange(K)]
    clean = (letters != OTHER).all(axis=1)
    letters, owner = letters[clean].astype(np.uint64), owner[clean]
    weights = np.uint64(4) ** np.arange(K, dtype=np.uint64)
    forward, backward = letters @ weights[::-1], (np.uint64(3) - letters) @ weights
    return Sketches(np.minimum(forward, backward), rows[owner])


def repeats(found: Sketches, genomes: int) -> Hashes:
    """The k-mers that count as shared by nobody: those seen more than `REPEATED` times for each genome.

    Args:
        found: of all intervals of a dataset.
        genomes: how many there are; the same gene in each of many is no repeat.

    Returns:
        Ascending, shape (repeats,).
    """
    hashes, counts = np.unique(found.hashes, return_counts=True)
    return hashes[counts > REPEATED * max(genomes, 1)]


def share_of(identity: float) -> float:
    """The share of k-mers that sequences of this identity (matches per base) have in common, substitutions falling anywhere."""
    return float(identity**K)


def leakage(found: Sketches, others: Sketches, repeated: Hashes) -> Leakage:
    """How many of `found`'s intervals have a near-duplicate among `others`'; `repeated` as `repeats` gives it."""
    near = [np.unique(intervals) for intervals, _ in couples(found, others, repeated, NEAR)]
    return Leakage(len(np.unique(found.rows)), len(np.unique(np.concatenate(near))) if near else 0)


def couples(
    found: Sketches, others: Sketches, repeated: Hashes, near: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Every interval of `found` with each of `others` that holds a share of its sampled k-mers, and two if it has as many.

    Args:
        found: the intervals to judge.
        others: those they are held against.
        repeated: k-mers that count as not shared, ascending.
        near: the share.

    Yields:
        Rows of `found` and of `others`, both of shape (couples,); memory is bounded by `MOST_HITS` shared k-mers.
    """
    order = np.argsort(others.hashes, kind="stable")
    hashes, owners = others.hashes[order], others.rows[order]
    mine, wanted = _distinct(found)
    names, mine, sizes = np.unique(mine, return_inverse=True, return_counts=True)
    first, last = np.searchsorted(hashes, wanted, side="left"), np.searchsorted(hashes, wanted, side="right")
    hits = np.where(np.isin(wanted, repeated), 0, last - first)
    width = int(owners.max(initial=0)) + 1
    ends = np.cumsum(sizes)
    for low, high in _bounded(np.add.reduceat(hits, ends - sizes) if len(sizes) else hits):
        some = slice(int(ends[low] - sizes[low]), int(ends[high - 1]))
        within = np.arange(int(hits[some].sum())) - np.repeat(np.cumsum(hits[some]) - hits[some], hits[some])
        theirs = owners[np.repeat(first[some], hits[some]) + within]
        k_mer = np.repeat(np.arange(some.start, some.stop), hits[some])
        shared = np.unique(k_mer * width + theirs)
        both, counts = np.unique(mine[shared // width] * width + shared % width, return_counts=True)
        size = sizes[both // width]
        enough = both[counts >= np.minimum(np.maximum(near * size, 2), size)]
        yield names[enough // width], enough % width


def _distinct(found: Sketches) -> tuple[NDArray[np.int64], Hashes]:
    """Rows and hashes sorted by both, each couple once."""
    order = np.lexsort((found.hashes, found.rows))
    rows, hashes = found.rows[order], found.hashes[order]
    once = np.append(True, (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1]))[: len(rows)]
    return rows[once], hashes[once]


def _bounded(sizes: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches of at most `MOST_HITS` in sum, or of one."""
    low, total = 0, 0
    for at, size in enumerate(sizes.tolist()):
        if at > low and total + size > MOST_HITS:
            yield low, at
            low, total = at, 0
        total += size
    if len(sizes):
        yield low, len(sizes)


def _sampled_places(codes: NDArray[np.uint8], one_in: int) -> NDArray[np.int64]:
    """Where a k-mer begins whose centre is in the set, block by block, ascending, shape (samples,)."""
    table, offset, found = _sampled(one_in), (K - CENTRE) // 2, []
    for first in range(0, len(codes) - K + 1, BLOCK):
        last = min(first + BLOCK, len(codes) - K + 1)
        centres = kmer_numbers(codes[first + offset : last + offset + CENTRE - 1], CENTRE)
        # With a mode, take checks no bounds: two thirds of the time.
        found.append(np.flatnonzero(table.take(centres, mode="clip")) + first)
    return np.concatenate(found)


@lru_cache(maxsize=4)
def _sampled(one_in: int) -> NDArray[np.bool_]:
    """Which k-mers of `CENTRE` bases mark a sample; a k-mer and its reverse complement alike. Shape (4^CENTRE,)."""
    number = np.arange(4**CENTRE, dtype=np.uint64)
    letters = (number[:, None] >> (np.uint64(2) * np.arange(CENTRE, dtype=np.uint64))) & np.uint64(3)
    reverse = (np.uint64(3) - letters) @ (np.uint64(4) ** np.arange(CENTRE, dtype=np.uint64)[::-1])
    mixed = np.minimum(number, reverse) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed < np.uint64((1 << 64) // one_in - 1)
