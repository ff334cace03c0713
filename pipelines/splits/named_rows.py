"""The rows of each name in a column, found through one sort however many names there are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
_NO_ROWS: Numbers = np.empty(0, np.int64)


class NamedRows:
    """A column of names, with the rows of each.

    Args:
        column: names, shape (rows,).

    Attributes:
        names: each name once, in order of its first row.
        numbers: the index in `names` of each row's name, shape (rows,).
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        encoded = pa.chunked_array(column, pa.string()).dictionary_encode().combine_chunks()
        self.names: list[str] = encoded.dictionary.to_pylist()
        self.numbers: Numbers = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        self._number_of = {name: number for number, name in enumerate(self.names)}
        self._order = np.argsort(self.numbers, kind="stable")
        self._ends = np.cumsum(np.bincount(self.numbers, minlength=len(self.names)))

    def number(self, name: str) -> int:
        """The index of a name in `names`; -1 for an unknown one."""
        return self._number_of.get(name, -1)

    def of(self, name: str) -> Numbers:
        """The rows of a name, ascending; none for an unknown name."""
        number = self.number(name)
        if number < 0:
            return _NO_ROWS
        return self._order[self._ends[number - 1] if number else 0 : self._ends[number]]

    def are_any_of(self, names: list[str]) -> NDArray[np.bool_]:
        """Whether each row has one of these names, shape (rows,)."""
        is_listed = np.zeros(len(self.names), np.bool_)
        is_listed[[self._number_of[name] for name in names if name in self._number_of]] = True
        return is_listed[self.numbers]


def number_pairs(first: Numbers, second: Numbers) -> Numbers:
    """A number for each pair, equal where pairs are, counted from 0 in order of the first row; shape (rows,)."""
    pairs = first * (int(second.max(initial=0)) + 1) + second
    _, first_row, number = np.unique(pairs, return_index=True, return_inverse=True)
    rank = np.empty(len(first_row), np.int64)
    rank[np.argsort(first_row)] = np.arange(len(first_row))
    return rank[number]
