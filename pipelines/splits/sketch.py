"""Near-duplicates of intervals, found by sketches: a fixed sample of every interval's k-mers.

A k-mer is sampled if the short k-mer at its centre is in a fixed set (a hash below a threshold, the same for a k-mer
and its reverse complement), so that sampling depends on nothing but the k-mer. This is the idea of FracMinHash (Irber
et al. 2022, doi:10.1101/2022.01.11.475838) at the cost of one table look-up per base. k-mers with a letter other than
A, C, G and T are skipped.
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
# Bases of the short k-mer at the centre of a k-mer, which decides whether it is sampled.
CENTRE = 9
# One in at least this many k-mers is sampled, and about this many k-mers of a dataset at most.
MIN_SPACING = 2
MAX_SAMPLES = 1_000_000
# Share of an interval's sampled k-mers that a near-duplicate has.
NEAR = 0.5
# Occurrences per genome above which a k-mer counts as a repeat.
MAX_OCCURRENCES = 64
# Shared k-mers compared at a time, which bounds memory.
MAX_HITS = 1 << 23
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Sketches:
    """Sampled k-mers of intervals.

    Attributes:
        hashes: canonical k-mers as numbers, shape (samples,).
        rows: the interval that each is from, shape (samples,).
    """

    hashes: Hashes
    rows: NDArray[np.int64]

    def select(self, mask: NDArray[np.bool_]) -> Sketches:
        """The samples where a mask of shape (samples,) is true."""
        return Sketches(self.hashes[mask], self.rows[mask])


def concatenate(parts: Sequence[Sketches]) -> Sketches:
    """All samples of at least one part, in order."""
    return Sketches(np.concatenate([part.hashes for part in parts]), np.concatenate([part.rows for part in parts]))


EMPTY = Sketches(np.empty(0, np.uint64), np.empty(0, np.int64))


@dataclass(frozen=True)
class Leakage:
    """How many intervals of one split have a near-duplicate in another.

    Attributes:
        evaluated: intervals with at least one sampled k-mer.
        near: those that have at least the share `NEAR` of their sampled k-mers in common with one interval of the other
            split.
    """

    evaluated: int
    near: int


def sample_spacing(bases: int) -> int:
    """The n for which a sample of one in n k-mers of a dataset with this many bases has about `MAX_SAMPLES` at most."""
    return max(MIN_SPACING, -(-bases // MAX_SAMPLES))


def sketch(codes: NDArray[np.uint8], lengths: NDArray[np.int64], rows: NDArray[np.int64], one_in: int) -> Sketches:
    """Sample the k-mers of concatenated sequences.

    Args:
        codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
        lengths: bases of each sequence, shape (sequences,).
        rows: number of the interval of each sequence, shape (sequences,).
        one_in: one in this many k-mers is sampled; see `sample_spacing`.
    """
    if len(codes) < K:
        return EMPTY
    positions = _sampled_positions(codes, one_in)
    ends = np.cumsum(lengths)
    owner = np.searchsorted(ends, positions, side="right")
    # A k-mer that begins in one sequence and ends in the next does not count.
    inside = positions + K <= ends[owner]
    positions, owner = positions[inside], owner[inside]
    letters = codes[positions[:, None] + np.arange(K)]
    is_known = (letters != OTHER).all(axis=1)
    letters, owner = letters[is_known].astype(np.uint64), owner[is_known]
    weights = np.uint64(4) ** np.arange(K, dtype=np.uint64)
    forward, backward = letters @ weights[::-1], (np.uint64(3) - letters) @ weights
    return Sketches(np.minimum(forward, backward), rows[owner])


def repeated_kmers(sketches: Sketches, genomes: int) -> Hashes:
    """The k-mers that occur more than `MAX_OCCURRENCES` times per genome; they do not count as shared.

    Args:
        sketches: of all intervals of a dataset.
        genomes: number of genomes; a gene that occurs once in each of many genomes is not a repeat.

    Returns:
        Ascending, shape (repeats,).
    """
    hashes, counts = np.unique(sketches.hashes, return_counts=True)
    return hashes[counts > MAX_OCCURRENCES * max(genomes, 1)]


def shared_kmers(identity: float) -> float:
    """The expected share of common k-mers of sequences with this identity (matches per base).

    Substitutions are assumed to be independent.
    """
    return float(identity**K)


def leakage(sketches: Sketches, others: Sketches, repeated: Hashes) -> Leakage:
    """How many intervals of `sketches` have a near-duplicate in `others`.

    Args:
        sketches: the intervals to evaluate.
        others: the intervals that they are compared with.
        repeated: k-mers that do not count as shared, from `repeated_kmers`.
    """
    near = [np.unique(intervals) for intervals, _ in similar_pairs(sketches, others, repeated, NEAR)]
    return Leakage(len(np.unique(sketches.rows)), len(np.unique(np.concatenate(near))) if near else 0)


def similar_pairs(
    sketches: Sketches, others: Sketches, repeated: Hashes, min_share: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of an interval of `sketches` and one of `others` that has enough of its sampled k-mers.

    Enough is the share `min_share`, and at least two k-mers unless the interval has only one.

    Args:
        sketches: the intervals to evaluate.
        others: the intervals that they are compared with.
        repeated: k-mers that do not count as shared, ascending.
        min_share: the share of an interval's sampled k-mers.

    Yields:
        Rows of `sketches` and of `others`, both of shape (pairs,). Memory is bounded by `MAX_HITS` shared k-mers.
    """
    order = np.argsort(others.hashes, kind="stable")
    other_hashes, other_rows = others.hashes[order], others.rows[order]
    rows, hashes = _distinct(sketches)
    names, row, sizes = np.unique(rows, return_inverse=True, return_counts=True)
    first = np.searchsorted(other_hashes, hashes, side="left")
    last = np.searchsorted(other_hashes, hashes, side="right")
    hits = np.where(np.isin(hashes, repeated), 0, last - first)
    # A pair of numbers is handled as one number: the first times `width` plus the second.
    width = int(other_rows.max(initial=0)) + 1
    ends = np.cumsum(sizes)
    for low, high in _bounded_runs(np.add.reduceat(hits, ends - sizes) if len(sizes) else hits):
        run = slice(int(ends[low] - sizes[low]), int(ends[high - 1]))
        hit_number = np.arange(int(hits[run].sum())) - np.repeat(np.cumsum(hits[run]) - hits[run], hits[run])
        hit_rows = other_rows[np.repeat(first[run], hits[run]) + hit_number]
        kmer = np.repeat(np.arange(run.start, run.stop), hits[run])
        # An interval of `others` that has a k-mer several times counts once.
        shared = np.unique(kmer * width + hit_rows)
        pairs, counts = np.unique(row[shared // width] * width + shared % width, return_counts=True)
        size = sizes[pairs // width]
        similar = pairs[counts >= np.minimum(np.maximum(min_share * size, 2), size)]
        yield names[similar // width], similar % width


def _distinct(sketches: Sketches) -> tuple[NDArray[np.int64], Hashes]:
    """Rows and hashes sorted by both, each combination once."""
    order = np.lexsort((sketches.hashes, sketches.rows))
    rows, hashes = sketches.rows[order], sketches.hashes[order]
    is_first = np.append(True, (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1]))[: len(rows)]
    return rows[is_first], hashes[is_first]


def _bounded_runs(sizes: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Consecutive runs of sizes with a sum of at most `MAX_HITS`, or of a single larger one, as first and end."""
    low, total = 0, 0
    for index, size in enumerate(sizes.tolist()):
        if index > low and total + size > MAX_HITS:
            yield low, index
            low, total = index, 0
        total += size
    if len(sizes):
        yield low, len(sizes)


def _sampled_positions(codes: NDArray[np.uint8], one_in: int) -> NDArray[np.int64]:
    """Positions of the k-mers whose centre is in the set, ascending, shape (samples,)."""
    is_sampled, offset, positions = _sampled_centres(one_in), (K - CENTRE) // 2, []
    for first in range(0, len(codes) - K + 1, BLOCK):
        last = min(first + BLOCK, len(codes) - K + 1)
        centres = kmer_numbers(codes[first + offset : last + offset + CENTRE - 1], CENTRE)
        # `take` with a mode does not check bounds, which saves a third of the time.
        positions.append(np.flatnonzero(is_sampled.take(centres, mode="clip")) + first)
    return np.concatenate(positions)


@lru_cache(maxsize=4)
def _sampled_centres(one_in: int) -> NDArray[np.bool_]:
    """Whether a k-mer with each centre is sampled; a k-mer and its reverse complement agree. Shape (4^CENTRE,)."""
    # The finaliser of SplitMix64 (Steele et al. 2014) as the hash.
    number = np.arange(4**CENTRE, dtype=np.uint64)
    letters = (number[:, None] >> (np.uint64(2) * np.arange(CENTRE, dtype=np.uint64))) & np.uint64(3)
    reverse = (np.uint64(3) - letters) @ (np.uint64(4) ** np.arange(CENTRE, dtype=np.uint64)[::-1])
    mixed = np.minimum(number, reverse) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed < np.uint64((1 << 64) // one_in - 1)
