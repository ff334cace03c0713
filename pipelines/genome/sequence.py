"""DNA as arrays of bytes: reverse complement, base codes, runs of N. No function loops over bases.

IUPAC codes follow the 1984 recommendations of the NC-IUB; case is kept because it encodes soft-masking.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_LETTERS = b"ACGTURYSWKMBDHVN"
_COMPLEMENTS = b"TGCAAYRSWMKVHDBN"
# The base code of every letter but A, C, G, T and U.
OTHER = 4
_BLOCK = 1 << 16


def _complement_table() -> Bytes:
    table = np.arange(256, dtype=np.uint8)
    for letter, complement in zip(_LETTERS, _COMPLEMENTS, strict=True):
        table[letter] = complement
        table[letter | 0x20] = complement | 0x20
    return table


def _code_table() -> Bytes:
    table = np.full(256, OTHER, dtype=np.uint8)
    for code, letters in enumerate((b"Aa", b"Cc", b"Gg", b"TtUu")):
        table[list(letters)] = code
    return table


# bytes.translate takes a third of the time that indexing a NumPy table does.
_COMPLEMENT = _complement_table().tobytes()
_CODE = _code_table().tobytes()


def reverse_complement(sequence: Bytes) -> Bytes:
    """The other strand of ASCII letters, 5' to 3', case kept; other bytes than IUPAC codes stay. Shape as given."""
    return np.frombuffer(sequence[::-1].tobytes().translate(_COMPLEMENT), np.uint8)


def base_codes(sequence: Bytes) -> Bytes:
    """A, C, G, T (or U) of either case as 0, 1, 2, 3, and every other letter as 4. Shape (n,), as given."""
    codes = np.empty(len(sequence), np.uint8)
    # Blocks fit the processor's cache; buffers of tens of megabases would be new memory from the system every time.
    for first in range(0, len(sequence), _BLOCK):
        block = sequence[first : first + _BLOCK]
        codes[first : first + _BLOCK] = np.frombuffer(block.tobytes().translate(_CODE), np.uint8)
    return codes


def is_soft_masked(sequence: Bytes) -> NDArray[np.bool_]:
    """Whether each letter is lower case. Shape as given."""
    # Bytes below "a" wrap around to large numbers: one comparison instead of two.
    return (sequence - np.uint8(ord("a"))) < 26


def true_counts(flags: NDArray[np.bool_], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of true flags in each of consecutive segments.

    Args:
        flags: shape (sum of lengths,).
        lengths: of the segments, each at least 1, shape (segments,).

    Returns:
        Shape (segments,).
    """
    firsts = np.cumsum(lengths) - lengths
    return np.add.reduceat(flags.view(np.uint8), firsts, dtype=np.uint32).astype(np.int64)


def runs_of_n(sequence: Bytes, min_length: int) -> NDArray[np.int64]:
    """Start and end of every maximal run of N or n of at least `min_length` bases, shape (runs, 2)."""
    is_n = (sequence | 0x20) == ord("n")
    edges = np.flatnonzero(np.diff(is_n, prepend=False, append=False))
    runs = edges.reshape(-1, 2).astype(np.int64)
    return runs[(runs[:, 1] - runs[:, 0]) >= min_length]
