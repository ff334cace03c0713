"""How often k-mers occur near each other without sharing a base: all that skip-gram needs to know of a sequence.

Overlapping tokens share bases, whatever the sequence means, so the nearest tokens that count are the first without a
common base. One pass, 30 M (k 6) to 250 M (k 3) pairs a second and core; memory is 8 bytes times the vocabulary squared
here, and 14 while vectors are trained on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.display import format_compared
from pipelines.errors import ResourceError, TrainingError, UsageError
from pipelines.tokens.vocabulary import SPECIALS
from training.memory import capacity

MAX_VOCABULARY = 20_000
# A pair has a count of 8 bytes here and one of 4 in the gradient, which takes its rows a thousand at a time.
BYTES_PER_PAIR = 14
_TOKENS_AT_ONCE = 1 << 22
# Rows and columns of the table that are made symmetric at a time, to stay in the cache.
_SQUARE = 2048
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Cooccurrences:
    """Counts of one corpus.

    Attributes:
        tokens: occurrences of each id, shape (ids,).
        pairs: how often an id (row) has another (column) as a context, symmetric, 0 for special tokens; shape
            (ids, ids).
    """

    tokens: Counts
    pairs: Counts


def count_tokens(sequences: Iterable[NDArray[Any]], vocabulary: int, min_count: int) -> Counts:
    """Count the occurrences of each id, shape (ids,): a quick check that there is enough sequence to count pairs in.

    Args:
        sequences: token ids, each of shape (tokens,).
        vocabulary: number of ids.
        min_count: occurrences from which on a k-mer's vector is learnt.

    Raises:
        ResourceError: this machine has too little memory for a table of pairs.
        TrainingError: fewer than two k-mers are that frequent.
        UsageError: the vocabulary is too large for a table of pairs.
    """
    require_memory(vocabulary)
    tokens = np.zeros(vocabulary, np.int64)
    for ids in sequences:
        tokens += np.bincount(ids, minlength=vocabulary)
    require_enough_kmers(int((tokens[len(SPECIALS) :] >= min_count).sum()), min_count)
    return tokens


def require_enough_kmers(frequent: int, min_count: int) -> None:
    """Check that enough k-mers are frequent to learn vectors.

    Raises:
        TrainingError: fewer than two are.
    """
    if frequent < 2:
        raise TrainingError(
            f"{frequent} k-mers occur {min_count} times or more near another",
            "give more sequence, or lower embedding.min_count",
        )


def require_memory(vocabulary: int) -> None:
    """Check that a table of pairs of a vocabulary fits into memory.

    Raises:
        ResourceError: this machine has less memory free.
        UsageError: the vocabulary is too large for any machine.
    """
    fix = "choose a lower tokenizer.k, or tokenizer.vocabulary observed with a higher tokenizer.min_count"
    if vocabulary > MAX_VOCABULARY:
        raise UsageError(
            f"a vocabulary of {vocabulary:,} tokens: pairs of more than {MAX_VOCABULARY:,} are not counted", fix
        )
    try:
        free = capacity.available_memory("cpu")
    except ResourceError:
        # Not every system says how much memory is free.
        return
    if (needed := BYTES_PER_PAIR * vocabulary**2) > free:
        required, available = format_compared(needed, free)
        raise ResourceError(
            f"pairs of {vocabulary:,} tokens take {required}, and {available} are free",
            f"free some, or {fix}",
        )


def count(sequences: Iterable[NDArray[Any]], vocabulary: int, first_distance: int, window: int) -> Cooccurrences:
    """Count tokens and pairs.

    Args:
        sequences: token ids, each of shape (tokens,).
        vocabulary: number of ids.
        first_distance: distance in tokens from which on two share no base.
        window: how many distances count, from `first_distance` on.

    Raises:
        ResourceError: this machine has too little memory for a table of pairs.
        UsageError: the vocabulary is too large for one.
    """
    require_memory(vocabulary)
    tokens, pairs = np.zeros(vocabulary, np.int64), np.zeros(vocabulary**2, np.int64)
    for ids in sequences:
        tokens += np.bincount(ids, minlength=vocabulary)
        for distance in range(first_distance, first_distance + window):
            for start in range(0, len(ids) - distance, _TOKENS_AT_ONCE):
                right = ids[start + distance : start + distance + _TOKENS_AT_ONCE]
                left = ids[start : start + len(right)].astype(np.int64)
                np.add.at(pairs, left * vocabulary + right, 1)
    table = pairs.reshape(vocabulary, vocabulary)
    _symmetrise(table)
    table[: len(SPECIALS)] = 0
    table[:, : len(SPECIALS)] = 0
    return Cooccurrences(tokens, table)


def _symmetrise(table: Counts) -> None:
    """Add its transpose to a table in place, a square at a time so that no second table is needed."""
    squares = [slice(low, low + _SQUARE) for low in range(0, len(table), _SQUARE)]
    for number, rows in enumerate(squares):
        for columns in squares[number:]:
            both = table[rows, columns] + table[columns, rows].T
            table[rows, columns] = both
            table[columns, rows] = both.T
