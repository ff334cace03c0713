"""How often k-mers stand near each other without sharing a base: all that skip-gram asks of a sequence.

A pair of neighbours that overlap says only what the overlap says, so the nearest tokens that count are the first whose
bases are all others. One pass, 30 M (k 6) to 250 M (k 3) pairs a second and core; memory is 8 bytes times the vocabulary
squared here, and 14 while vectors are learnt from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import ResourceError, TrainingError, UsageError
from pipelines.tokens.vocabulary import SPECIALS
from training.memory import capacity

MOST_TOKENS = 20_000
# A pair has a count of 8 bytes here and one of 4 in the gradient, which takes its rows a thousand at a time.
BYTES = 14
_AT_ONCE = 1 << 22
_SQUARE = 2048
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


def occurrences(stretches: Iterable[NDArray[Any]], vocabulary: int, least: int) -> Counts:
    """Occurrences of each id, shape (ids,): what tells cheaply whether there is enough to count pairs of.

    Args:
        stretches: token ids, each of shape (tokens,).
        vocabulary: number of ids.
        least: occurrences that a k-mer's vector is learnt from.

    Raises:
        TrainingError: not two k-mers are that frequent.
        UsageError: the vocabulary is too large for a table of pairs.
    """
    affordable(vocabulary)
    tokens = np.zeros(vocabulary, np.int64)
    for ids in stretches:
        tokens += np.bincount(ids, minlength=vocabulary)
    enough(int((tokens[len(SPECIALS) :] >= least).sum()), least)
    return tokens


def enough(frequent: int, least: int) -> None:
    """Nothing, if so many k-mers are enough to learn vectors from.

    Raises:
        TrainingError: they are not.
    """
    if frequent < 2:
        raise TrainingError(
            f"{frequent} k-mers occur {least} times or more near another",
            "give more sequence, or lower embedding.min_count",
        )


def affordable(vocabulary: int) -> None:
    """Nothing, if a table of pairs can be had.

    Raises:
        ResourceError: this machine has less memory free.
        UsageError: the vocabulary is too large.
    """
    remedy = "choose a lower tokenizer.k, or tokenizer.vocabulary observed with a higher tokenizer.min_count"
    if vocabulary > MOST_TOKENS:
        raise UsageError(
            f"a vocabulary of {vocabulary:,} tokens: pairs of more than {MOST_TOKENS:,} are not counted", remedy
        )
    try:
        free = capacity.available_memory("cpu")
    except ResourceError:
        # Not every system tells.
        return
    if (needed := BYTES * vocabulary**2) > free:
        raise ResourceError(
            f"pairs of {vocabulary:,} tokens take {capacity.format_size(needed)}, and {capacity.format_size(free)} are free",
            f"free some, or {remedy}",
        )


def count(stretches: Iterable[NDArray[Any]], vocabulary: int, first: int, window: int) -> Pairs:
    """Count tokens and pairs.

    Args:
        stretches: token ids, each of shape (tokens,).
        vocabulary: number of ids.
        first: distance in tokens from which two share no base.
        window: how many distances count, from `first` on.

    Raises:
        ResourceError: this machine has too little memory for a table of pairs.
        UsageError: the vocabulary is too large for one.
    """
    affordable(vocabulary)
    tokens, near = np.zeros(vocabulary, np.int64), np.zeros(vocabulary**2, np.int64)
    for ids in stretches:
        tokens += np.bincount(ids, minlength=vocabulary)
        for distance in range(first, first + window):
            for start in range(0, len(ids) - distance, _AT_ONCE):
                right = ids[start + distance : start + distance + _AT_ONCE]
                np.add.at(near, ids[start : start + len(right)].astype(np.int64) * vocabulary + right, 1)
    table = near.reshape(vocabulary, vocabulary)
    _symmetrise(table)
    table[: len(SPECIALS)] = 0
    table[:, : len(SPECIALS)] = 0
    return Pairs(tokens, table)


def _symmetrise(table: Counts) -> None:
    """Add its transpose to a table, in place, a square at a time."""
    squares = [slice(low, low + _SQUARE) for low in range(0, len(table), _SQUARE)]
    for number, rows in enumerate(squares):
        for columns in squares[number:]:
            both = table[rows, columns] + table[columns, rows].T
            table[rows, columns] = both
            table[columns, rows] = both.T
