"""Negatives that share more than length with their genes: GC and soft-masked bases, by choice among many places.

Every gene may take any candidate of its length; genes far from the bulk of the candidates choose first, each the
nearest in GC that overlaps none taken before. Candidates lie on shelves by their further shares, so that a gene sees
few that cannot match. n log n in the candidates.
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
TRIES = 500
# Above 1, so that rounding never puts a match two shelves away.
SHELF = 1.001
Shares = NDArray[np.float64]


def shares(letters_of: Callable[[int, int], Bytes], length: int, what: Sequence[str], bounds: Intervals) -> Shares:
    """Composition of intervals of one chromosome.

    Args:
        letters_of: gives the chromosome's letters of [start, end).
        length: bases of the chromosome.
        bounds: shape (n, 2).
        what: `gc` (G and C among A, C, G, T) and `soft_masked` (lower case among all), in the order wanted.

    Returns:
        Shape (n, shares).
    """
    counts = np.zeros((len(bounds), 3), np.int64)
    for first in range(0, length, CHUNK):
        letters = letters_of(first, min(first + CHUNK, length))
        inside = np.flatnonzero((bounds[:, 0] < first + len(letters)) & (bounds[:, 1] > first))
        if len(inside) == 0:
            continue
        low, high = (np.clip(bounds[inside, side] - first, 0, len(letters)) for side in (0, 1))
        codes = sequence.base_codes(letters)
        for column, true in enumerate(
            ((codes == 1) | (codes == 2), codes != sequence.OTHER, sequence.is_soft_masked(letters))
        ):
            sums = np.append(0, np.cumsum(true, dtype=np.int32))
            counts[inside, column] += sums[high] - sums[low]
    lengths = np.maximum(bounds[:, 1] - bounds[:, 0], 1)
    found = {"gc": counts[:, 0] / np.maximum(counts[:, 1], 1), "soft_masked": counts[:, 2] / lengths}
    return np.stack([found[name] for name in what], axis=1)


def choose(
    lengths: NDArray[np.int64], wanted: Shares, candidates: Intervals, offered: Shares, tolerance: float
) -> NDArray[np.int64]:
    """Give each gene a candidate of its length whose shares are near its own, no two overlapping.

    Args:
        lengths: bases wanted by each gene, shape (genes,).
        wanted: shares of each gene, shape (genes, shares); the first decides which candidate is nearest.
        candidates: places, shape (candidates, 2).
        offered: shares of each candidate, shape (candidates, shares).
        tolerance: largest difference in any share.

    Returns:
        Number of each gene's candidate, or -1, shape (genes,).
    """
    found = np.full(len(lengths), -1, np.int64)
    sizes = candidates[:, 1] - candidates[:, 0]
    width = tolerance * SHELF
    taken = _Taken()
    for length in np.unique(lengths)[::-1]:
        genes, places = np.flatnonzero(lengths == length), np.flatnonzero(sizes == length)
        if len(places) == 0:
            continue
        places = places[np.argsort(offered[places, 0], kind="stable")]
        middle = offered[places[len(places) // 2], 0]
        shelves = _shelves(places, offered, width)
        for gene in genes[np.argsort(-np.abs(wanted[genes, 0] - middle), kind="stable")]:
            for line, at in _nearest(shelves, wanted[gene], width, tolerance):
                place = line.places[at]
                start, end = candidates[place].tolist()
                if taken.overlaps(start, end):
                    line.remove(at)
                elif (np.abs(offered[place] - wanted[gene]) <= tolerance).all():
                    line.remove(at)
                    taken.add(start, end)
                    found[gene] = place
                    break
    return found


def _shelves(places: NDArray[np.int64], offered: Shares, width: float) -> dict[tuple[int, ...], _Line]:
    """Candidates by the shares after the first, in steps of `width`; on each shelf in the order given."""
    keys, shelf = np.unique(np.floor(offered[places, 1:] / width).astype(np.int64), axis=0, return_inverse=True)
    split = np.split(places[np.argsort(shelf.ravel(), kind="stable")], np.cumsum(np.bincount(shelf.ravel()))[:-1])
    return {tuple(key): _Line(some, offered[some, 0]) for key, some in zip(keys.tolist(), split, strict=True)}


def _nearest(
    shelves: dict[tuple[int, ...], _Line], wanted: Shares, width: float, tolerance: float
) -> Iterator[tuple[_Line, int]]:
    """Yield what lies on a gene's shelf and those beside it, nearest in the first share first."""
    own = np.floor(wanted[1:] / width).astype(np.int64).tolist()
    beside = itertools.product(*((number - 1, number, number + 1) for number in own))
    lines = [shelves[key] for key in beside if key in shelves]
    found = [zip(itertools.repeat(line), line.nearest(float(wanted[0]), tolerance), strict=False) for line in lines]
    for line, (_, at) in heapq.merge(*found, key=lambda one: one[1][0]):
        yield line, at


class _Taken:
    """Disjoint intervals in order of their starts."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def overlaps(self, start: int, end: int) -> bool:
        before = bisect_left(self._starts, end) - 1
        return before >= 0 and self._ends[before] > start

    def add(self, start: int, end: int) -> None:
        at = bisect_left(self._starts, start)
        self._starts.insert(at, start)
        self._ends.insert(at, end)


class _Line:
    """Places in the order of their values, some removed; finds the nearest left (union-find with path halving)."""

    def __init__(self, places: NDArray[np.int64], values: Shares) -> None:
        self.places = places
        self._values = values
        # Shifted by one, so that 0 and n + 1 stand for "none left".
        self._left = list(range(len(values) + 2))
        self._right = list(range(len(values) + 2))

    def remove(self, at: int) -> None:
        self._left[at + 1] = at
        self._right[at + 1] = at + 2

    def nearest(self, value: float, tolerance: float) -> Iterator[tuple[float, int]]:
        """Yield distance and number of the values left within the tolerance, nearest first, at most `TRIES`."""
        after = int(np.searchsorted(self._values, value)) + 1
        left, right = _find(self._left, after - 1), _find(self._right, after)
        for _ in range(TRIES):
            below = value - self._values[left - 1] if left > 0 else np.inf
            above = self._values[right - 1] - value if right <= len(self._values) else np.inf
            if min(below, above) > tolerance:
                return
            if below <= above:
                yield below, left - 1
                left = _find(self._left, left - 1)
            else:
                yield above, right - 1
                right = _find(self._right, right + 1)


def _find(links: list[int], at: int) -> int:
    while links[at] != at:
        links[at] = links[links[at]]
        at = links[at]
    return at
