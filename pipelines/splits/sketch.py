"""Sketches of intervals: a fixed sample of every interval's k-mers, by which similar intervals are found.

A k-mer is sampled if the short k-mer at its centre is in a fixed set (a hash below a threshold, the same for a k-mer
and its reverse complement), so that sampling depends on nothing but the k-mer. This is the idea of FracMinHash (Irber
et al. 2022, doi:10.1101/2022.01.11.475838) at the cost of one table look-up per base. k-mers with a letter other than
A, C, G and T are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.sequence import OTHER
from pipelines.tokens.kmer_encoding import BLOCK, holds_other, kmer_numbers

K = 21
# Bases of the short k-mer at the centre of a k-mer, which decides whether it is sampled.
CENTRE = 9
# One in 2 to 8 k-mers is sampled. At one in 8, 512 bases have about 61 samples: docs/decisions/ has what is found.
MIN_SPACING, MAX_SPACING = 2, 8
# Samples of a small dataset; larger ones have more.
SMALL = 1_000_000
Hashes = NDArray[np.uint64]
_SWAPS = [
    (bits, np.uint64(sum((1 << bits) - 1 << place for place in range(0, 64, 2 * bits)))) for bits in (2, 4, 8, 16, 32)
]


@dataclass(frozen=True)
class Sketches:
    """Sampled k-mers of intervals.

    Attributes:
        hashes: canonical k-mers as numbers, shape (samples,).
        rows: the interval that each is from, shape (samples,).
    """

    hashes: Hashes
    rows: NDArray[np.int64]


EMPTY = Sketches(np.empty(0, np.uint64), np.empty(0, np.int64))


def sample_spacing(bases: int) -> int:
    """The n for which one in n k-mers of a dataset is sampled.

    A small dataset has about `SMALL` samples at most; in a large one every interval keeps its one in `MAX_SPACING`.

    Args:
        bases: of all intervals together.
    """
    return min(max(MIN_SPACING, -(-bases // SMALL)), MAX_SPACING)


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
    positions, forward = _sampled(codes, one_in)
    ends = np.cumsum(lengths)
    # Positions ascend, so that those of a sequence are a run.
    firsts = np.searchsorted(positions, ends - lengths)
    # A k-mer that begins in one sequence and ends in the next does not count.
    counts = np.maximum(np.searchsorted(positions, ends - K, side="right") - firsts, 0)
    owner = np.repeat(np.arange(len(lengths)), counts)
    inside = np.arange(len(owner)) + np.repeat(firsts - (np.cumsum(counts) - counts), counts)
    forward = forward[inside]
    return Sketches(np.minimum(forward, reverse_complements(forward)), rows[owner])


def shared_kmers(identity: float) -> float:
    """The expected share of common k-mers of sequences with this identity (matches per base).

    Substitutions are assumed to be independent.
    """
    return float(identity**K)


def mixed(numbers: NDArray[np.uint64]) -> Hashes:
    """Numbers spread evenly over 64 bits, each to another one: the finaliser of SplitMix64 (Steele et al. 2014)."""
    hashes = numbers + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
    return hashes ^ (hashes >> np.uint64(31))


def reverse_complements(kmers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The numbers of the reverse complements of k-mers, shape (k-mers,)."""
    turned = kmers
    # Neighbouring bases change places, then neighbouring pairs of them, and so on.
    for bits, mask in _SWAPS:
        shift = np.uint64(bits)
        turned = (turned >> shift) & mask | (turned & mask) << shift
    return ~turned >> np.uint64(64 - 2 * K)


def _sampled(codes: NDArray[np.uint8], one_in: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Positions of the known k-mers whose centre is in the set, ascending, and their numbers; shape (samples,)."""
    is_sampled, offset = _sampled_centres(one_in), (K - CENTRE) // 2
    positions, numbers = [], []
    for first in range(0, len(codes) - K + 1, BLOCK):
        letters = codes[first : first + BLOCK + K - 1]
        short = kmer_numbers(letters, CENTRE)
        # `take` with a mode does not check bounds, which saves a third of the time.
        found = np.flatnonzero(is_sampled.take(short[offset : offset + len(letters) - K + 1], mode="clip"))
        if (letters == OTHER).any():
            found = found[~holds_other(letters, K)[found]]
        # Of short k-mers side by side, the last as many bases as are left.
        number = short[found].astype(np.uint64)
        for width in range(2 * CENTRE, K, CENTRE):
            number = number << np.uint64(2 * CENTRE) | short[found + (width - CENTRE)]
        rest = (K - 1) % CENTRE + 1
        number = number << np.uint64(2 * rest) | short[found + (K - CENTRE)] & np.uint32(4**rest - 1)
        positions.append(found + first)
        numbers.append(number)
    return np.concatenate(positions), np.concatenate(numbers)


@lru_cache(maxsize=4)
def _sampled_centres(one_in: int) -> NDArray[np.bool_]:
    """Whether a k-mer with each centre is sampled; a k-mer and its reverse complement agree. Shape (4^CENTRE,)."""
    number = np.arange(4**CENTRE, dtype=np.uint64)
    letters = (number[:, None] >> (np.uint64(2) * np.arange(CENTRE, dtype=np.uint64))) & np.uint64(3)
    reverse = (np.uint64(3) - letters) @ (np.uint64(4) ** np.arange(CENTRE, dtype=np.uint64)[::-1])
    return mixed(np.minimum(number, reverse)) < np.uint64((1 << 64) // one_in - 1)
