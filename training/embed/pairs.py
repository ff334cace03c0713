"""How often k-mers stand near each other without sharing a base: all that skip-gram asks of a sequence.

A pair of neighbours that overlap says only what the overlap says, so the nearest tokens that count are the first whose
bases are all others. One pass, about 50 M pairs a second and core; memory is 8 bytes times the vocabulary squared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UsageError
from pipelines.tokenizer import SPECIALS

MOST_TOKENS = 20_000
_AT_ONCE = 1 << 22
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Counts of one corpus.

    Attributes:
        tokens: occurrences of each id, shape (ids,).
        near: how often an id (row) has another (column) as a context, symmetric, none of a special; shape (ids, ids).
    """

    tokens: Counts
    near: Counts


def count(stretches: Iterable[NDArray[Any]], vocabulary: int, first: int, window: int) -> Pairs:
    """Count tokens and pairs.

    Args:
        stretches: token ids, each of shape (tokens,).
        vocabulary: number of ids.
        first: distance in tokens from which two share no base.
        window: how many distances count, from `first` on.

    Raises:
        UsageError: the vocabulary is too large for a table of pairs.
    """
    if vocabulary > MOST_TOKENS:
        raise UsageError(
            f"a vocabulary of {vocabulary:,} tokens: pairs of more than {MOST_TOKENS:,} are not counted",
            "choose tokenizer.k 7 or less, or tokenizer.vocabulary observed with a higher tokenizer.min_count",
        )
    tokens, near = np.zeros(vocabulary, np.int64), np.zeros(vocabulary**2, np.int64)
    for ids in stretches:
        tokens += np.bincount(ids, minlength=vocabulary)
        for distance in range(first, first + window):
            for start in range(0, len(ids) - distance, _AT_ONCE):
                right = ids[start + distance : start + distance + _AT_ONCE]
                pairs = ids[start : start + len(right)].astype(np.int64) * vocabulary + right
                if len(pairs) > len(near):
                    near += np.bincount(pairs, minlength=len(near))
                else:
                    np.add.at(near, pairs, 1)
    table = near.reshape(vocabulary, vocabulary)
    table = table + table.T
    table[: len(SPECIALS)] = 0
    table[:, : len(SPECIALS)] = 0
    return Pairs(tokens, table)
