"""Occurrences of every token id, counted over a few tokens at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_TOKENS = 1 << 20


def count(tokens: NDArray[Any], vocabulary_size: int) -> NDArray[np.int64]:
    """How often each id occurs, in the memory of `CHUNK_TOKENS` numbers.

    Args:
        tokens: ids, shape (tokens,).
        vocabulary_size: the number of ids.

    Returns:
        Shape (vocabulary,).
    """
    counts = np.zeros(vocabulary_size, np.int64)
    for first in range(0, len(tokens), CHUNK_TOKENS):
        # NumPy counts numbers of 64 bits only, and would copy all tokens to them.
        counts += np.bincount(tokens[first : first + CHUNK_TOKENS], minlength=vocabulary_size)
    return counts
