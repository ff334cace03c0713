"""DNA as bytes: reverse complement, base codes, runs of N. Vectorised, no loop over bases.

IUPAC codes follow the 1984 recommendations of the NC-IUB; case is kept because it carries soft-masking.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_LETTERS = b"ACGTURYSWKMBDHVN"
_COMPLEMENTS = b"TGCAAYRSWMKVHDBN"
OTHER = 4


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


_COMPLEMENT = _complement_table()
_CODE = _code_table()
_IS_LOWER = np.array([chr(byte).islower() if byte < 128 else False for byte in range(256)])


def reverse_complement(sequence: Bytes) -> Bytes:
    """The other strand of ASCII letters, 5' to 3'; other bytes are reversed as they are."""
    return _COMPLEMENT[sequence[::-1]]


def base_codes(sequence: Bytes) -> Bytes:
    """A, C, G, T (U) of either case as 0, 1, 2, 3; every other letter as 4. Shape as given."""
    return _CODE[sequence]


def is_soft_masked(sequence: Bytes) -> NDArray[np.bool_]:
    """True where a letter is lower case. Shape as given."""
    return _IS_LOWER[sequence]


def runs_of_n(sequence: Bytes, shortest: int) -> NDArray[np.int64]:
    """Maximal runs of N or n of at least `shortest` bases, as (runs, 2) of start and end."""
    is_n = (sequence | 0x20) == ord("n")
    edges = np.flatnonzero(np.diff(is_n, prepend=False, append=False))
    runs = edges.reshape(-1, 2).astype(np.int64)
    return runs[(runs[:, 1] - runs[:, 0]) >= shortest]
