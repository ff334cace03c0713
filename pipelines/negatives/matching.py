"""Negatives that share more than length with their genes: GC and soft-masked bases, by choice among many candidates.

Every gene may take any candidate of its length. Genes far from the bulk of the candidates choose first; each takes the
candidate nearest in GC that overlaps none taken before. Candidates are binned by their further shares, so that a gene
sees few that cannot match. n log n in the candidates.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import sequence
from pipelines.genome.intervals import Intervals
from pipelines.genome.sequence import Bytes

CHUNK = 1 << 24
MAX_TRIES = 500
# Above 1, so that rounding never puts a match two bins away.
BIN_WIDTH_FACTOR = 1.001
Shares = NDArray[np.float64]


def measure_shares(
    letters_of: Callable[[int, int], Bytes], length: int, names: Sequence[str], bounds: Intervals
) -> Shares:
    """Measure the composition of intervals of one chromosome.

    Args:
        letters_of: gives the chromosome's letters of [start, end).
        length: bases of the chromosome.
        names: `gc` (G and C among A, C, G, T) and `soft_masked` (lower case among all), in the order of the columns.
        bounds: start and end of each interval, shape (n, 2).

    Returns:
        Shape (n, shares).
    """
    counts = np.zeros((len(bounds), 3), np.int64)
    for start in range(0, length, CHUNK):
        letters = letters_of(start, min(start + CHUNK, length))
        rows = np.flatnonzero((bounds[:, 0] < start + len(letters)) & (bounds[:, 1] > start))
        if len(rows) == 0:
            continue
        low, high = (np.clip(bounds[rows, side] - start, 0, len(letters)) for side in (0, 1))
        codes = sequence.base_codes(letters)
        masks = (codes == 1) | (codes == 2), codes != sequence.OTHER, sequence.is_soft_masked(letters)
        for column, mask in enumerate(masks):
            sums = np.append(0, np.cumsum(mask, dtype=np.int32))
            counts[rows, column] += sums[high] - sums[low]
    lengths = np.maximum(bounds[:, 1] - bounds[:, 0], 1)
    columns = {"gc": counts[:, 0] / np.maximum(counts[:, 1], 1), "soft_masked": counts[:, 2] / lengths}
    return np.stack([columns[name] for name in names], axis=1)


def choose_candidates(
    lengths: NDArray[np.int64],
    target_shares: Shares,
    candidates: Intervals,
    candidate_shares: Shares,
    tolerance: float,
) -> NDArray[np.int64]:
    """Give each gene a candidate of its length whose shares are near its own, no two overlapping.

    Args:
        lengths: bases of each gene's negative, shape (genes,).
        target_shares: shares of each gene, shape (genes, shares); the first decides which candidate is nearest.
        candidates: start and end of each candidate, shape (candidates, 2).
        candidate_shares: shares of each candidate, shape (candidates, shares).
        tolerance: largest difference in any share.

    Returns:
        Index of each gene's candidate, or -1, shape (genes,).
    """
    chosen = np.full(len(lengths), -1, np.int64)
    sizes = candidates[:, 1] - candidates[:, 0]
    width = tolerance * BIN_WIDTH_FACTOR
    taken = _TakenIntervals()
    for length in np.unique(lengths)[::-1]:
        genes, of_length = np.flatnonzero(lengths == length), np.flatnonzero(sizes == length)
        if len(of_length) == 0:
            continue
        of_length = of_length[np.argsort(candidate_shares[of_length, 0], kind="stable")]
        median = candidate_shares[of_length[len(of_length) // 2], 0]
        bins = _bin_candidates(of_length, candidate_shares, width)
        for gene in genes[np.argsort(-np.abs(target_shares[genes, 0] - median), kind="stable")]:
            for candidate_bin, position in _iterate_nearest(bins, target_shares[gene], width, tolerance):
                candidate = candidate_bin.candidates[position]
                start, end = candidates[candidate].tolist()
                if taken.overlaps(start, end):
                    candidate_bin.remove(position)
                elif (np.abs(candidate_shares[candidate] - target_shares[gene]) <= tolerance).all():
                    candidate_bin.remove(position)
                    taken.add(start, end)
                    chosen[gene] = candidate
                    break
    return chosen


def _bin_candidates(
    candidates: NDArray[np.int64], candidate_shares: Shares, width: float
) -> dict[tuple[int, ...], _CandidateBin]:
    """Bin candidates by the shares after the first, in steps of `width`; each bin keeps the given order."""
    steps = np.floor(candidate_shares[candidates, 1:] / width).astype(np.int64)
    keys, bin_numbers = np.unique(steps, axis=0, return_inverse=True)
    ends = np.cumsum(np.bincount(bin_numbers.ravel()))
    binned = np.split(candidates[np.argsort(bin_numbers.ravel(), kind="stable")], ends[:-1])
    return {
        tuple(key): _CandidateBin(rows, candidate_shares[rows, 0])
        for key, rows in zip(keys.tolist(), binned, strict=True)
    }


def _iterate_nearest(
    bins: dict[tuple[int, ...], _CandidateBin], targets: Shares, width: float, tolerance: float
) -> Iterator[tuple[_CandidateBin, int]]:
    """Yield bin and position of the candidates in a gene's bin and its neighbours, nearest in the first share first."""
    own_key = np.floor(targets[1:] / width).astype(np.int64).tolist()
    neighbours = itertools.product(*((step - 1, step, step + 1) for step in own_key))
    nearby = [bins[key] for key in neighbours if key in bins]
    streams = [
        zip(itertools.repeat(candidates), candidates.iterate_nearest(float(targets[0]), tolerance), strict=False)
        for candidates in nearby
    ]
    for candidates, (_, position) in heapq.merge(*streams, key=lambda item: item[1][0]):
        yield candidates, position


class _TakenIntervals:
    """Disjoint intervals in order of their starts."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def overlaps(self, start: int, end: int) -> bool:
        previous = bisect_left(self._starts, end) - 1
        return previous >= 0 and self._ends[previous] > start

    def add(self, start: int, end: int) -> None:
        position = bisect_left(self._starts, start)
        self._starts.insert(position, start)
        self._ends.insert(position, end)


class _CandidateBin:
    """Candidates in order of one share, some removed; finds the nearest left (union-find with path halving)."""

    def __init__(self, candidates: NDArray[np.int64], values: Shares) -> None:
        self.candidates = candidates
        self._values = values
        # Shifted by one, so that 0 and n + 1 stand for "none left".
        self._left = list(range(len(values) + 2))
        self._right = list(range(len(values) + 2))

    def remove(self, position: int) -> None:
        self._left[position + 1] = position
        self._right[position + 1] = position + 2

    def iterate_nearest(self, value: float, tolerance: float) -> Iterator[tuple[float, int]]:
        """Yield distance and position of candidates within the tolerance, nearest first, at most `MAX_TRIES`."""
        after = int(np.searchsorted(self._values, value)) + 1
        left, right = _find_root(self._left, after - 1), _find_root(self._right, after)
        for _ in range(MAX_TRIES):
            below = value - self._values[left - 1] if left > 0 else np.inf
            above = self._values[right - 1] - value if right <= len(self._values) else np.inf
            if min(below, above) > tolerance:
                return
            if below <= above:
                yield below, left - 1
                left = _find_root(self._left, left - 1)
            else:
                yield above, right - 1
                right = _find_root(self._right, right + 1)


def _find_root(links: list[int], position: int) -> int:
    while links[position] != position:
        links[position] = links[links[position]]
        position = links[position]
    return position
