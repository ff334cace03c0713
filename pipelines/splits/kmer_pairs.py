"""Pairs of intervals that have k-mers in common, with the number of these, from the samples in a range of hashes.

The pairs are as many as the samples times a constant at most, whatever the repeats. Of the intervals that have a k-mer,
each is paired with those that have most k-mers, up to a number: with all where they are few. linclust takes one such
representative (Steinegger and Söding 2018, doi:10.1038/s41467-018-04964-5). k-mers that occur more often than genes do
pair nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.splits.sketch_files import Records, begins_run

# A pair as one number, the first row times 2^32 plus the second, so that pairs sort as numbers do.
PAIR = np.dtype([("pair", "<u8"), ("kmers", "<i4")])
# Pairs made at a time, which bounds memory.
MAX_PAIRS = 1 << 22
# The part of an interval in a comparison between intervals to evaluate and others.
NEITHER, EVALUATED, OTHER = 0, 1, 2
_SHIFT, _MASK = np.uint64(32), np.uint64((1 << 32) - 1)
Rows = NDArray[np.uint32]
Counts = NDArray[np.int64]


def shared(
    samples: Records,
    sizes: NDArray[np.int32],
    max_occurrences: int,
    partners: int,
    parts: NDArray[np.int8] | None = None,
) -> Iterator[Records]:
    """Count the k-mers that pairs of intervals have in common.

    Args:
        samples: hash and row, sorted by both, shape (samples,).
        sizes: different sampled k-mers of each interval, shape (intervals,).
        max_occurrences: a k-mer with more is a repeat, and is no common one.
        partners: of the intervals that have a k-mer, each is paired with so many, those with most k-mers.
        parts: where intervals to evaluate are compared with others, which each one is, shape (intervals,); without it
            every interval is compared with every other.

    Yields:
        Each pair and its count, sorted by pair, at most `MAX_PAIRS` of them. The first row is the one to evaluate, or
        the smaller one. A pair may be in several yields: their sum counts.
    """
    hashes, rows = np.ascontiguousarray(samples["hash"]), np.ascontiguousarray(samples["row"])
    is_known = np.repeat(*_is_shared(hashes, max_occurrences))
    hashes, rows = hashes[is_known], rows[is_known]
    is_distinct = begins_run(hashes, rows)
    hashes, rows = hashes[is_distinct], rows[is_distinct]
    # Those with most k-mers come first, of equal ones the first.
    order = np.lexsort((-sizes[rows], hashes))
    rows = rows[order]
    matches = _within(hashes, rows, partners) if parts is None else _between(hashes, rows, partners, parts[rows])
    for piece in _bounded(matches.counts):
        pairs = np.sort(matches.pairs(piece))
        starts = np.flatnonzero(begins_run(pairs))
        records = np.empty(len(starts), PAIR)
        records["pair"], records["kmers"] = pairs[starts], np.diff(starts, append=len(pairs))
        yield records


def rows_of(pairs: NDArray[np.uint64]) -> tuple[Rows, Rows]:
    """First and second row of pairs, shape as given."""
    return (pairs >> _SHIFT).astype(np.uint32), (pairs & _MASK).astype(np.uint32)


def total(records: Records) -> Records:
    """The sum of each pair's counts, sorted by pair; shape (different pairs,)."""
    ordered = records[np.argsort(records["pair"])]
    starts = np.flatnonzero(begins_run(ordered["pair"]))
    sums = ordered[starts]
    sums["kmers"] = np.add.reduceat(ordered["kmers"], starts) if len(starts) else 0
    return sums


@dataclass(frozen=True)
class _Matches:
    """For each of some rows, the rows that it is paired with.

    Attributes:
        rows: shape (rows,).
        others: rows to pair them with, shape (others,).
        firsts: for each row, the index of the first of its others, which are consecutive.
        counts: for each row, how many.
        is_ordered: whether the first row of a pair is the one of `rows`, and not the smaller one.
    """

    rows: Rows
    others: Rows
    firsts: Counts
    counts: Counts
    is_ordered: bool

    def pairs(self, piece: slice) -> NDArray[np.uint64]:
        """The pairs of a run of rows, in any order."""
        counts = self.counts[piece]
        number = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts - self.firsts[piece], counts)
        rows, others = np.repeat(self.rows[piece], counts).astype(np.uint64), self.others[number].astype(np.uint64)
        if self.is_ordered:
            return rows << _SHIFT | others
        return np.minimum(rows, others) << _SHIFT | np.maximum(rows, others)


def _within(hashes: NDArray[np.uint64], rows: Rows, partners: int) -> _Matches:
    """Pair each interval that has a k-mer with the first that have it too, of those before it."""
    starts, counts = _runs(hashes)
    firsts = np.repeat(starts, counts)
    return _Matches(rows, rows, firsts, np.minimum(np.arange(len(rows)) - firsts, partners), is_ordered=False)


def _between(hashes: NDArray[np.uint64], rows: Rows, partners: int, parts: NDArray[np.int8]) -> _Matches:
    """Pair each interval to evaluate with the first of the others that have its k-mer."""
    is_evaluated, is_other = parts == EVALUATED, parts == OTHER
    own_hashes, other_hashes = hashes[is_evaluated], hashes[is_other]
    firsts = np.searchsorted(other_hashes, own_hashes, side="left")
    counts = np.searchsorted(other_hashes, own_hashes, side="right") - firsts
    return _Matches(rows[is_evaluated], rows[is_other], firsts, np.minimum(counts, partners), is_ordered=True)


def _is_shared(hashes: NDArray[np.uint64], max_occurrences: int) -> tuple[NDArray[np.bool_], Counts]:
    """For each run of equal hashes, whether it may pair intervals, and its length."""
    _, counts = _runs(hashes)
    return (counts > 1) & (counts <= max_occurrences), counts


def _runs(ascending: NDArray[np.uint64]) -> tuple[Counts, Counts]:
    """Start and length of each run of equal numbers."""
    starts = np.flatnonzero(begins_run(ascending))
    return starts, np.diff(starts, append=len(ascending))


def _bounded(counts: Counts) -> Iterator[slice]:
    """Consecutive runs of rows that have at most `MAX_PAIRS` pairs together, or one row that has more."""
    ends = np.cumsum(counts)
    low = 0
    while low < len(ends) and ends[-1] > (before := int(ends[low] - counts[low])):
        high = max(int(np.searchsorted(ends, before + MAX_PAIRS, side="right")), low + 1)
        yield slice(low, high)
        low = high
