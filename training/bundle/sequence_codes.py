"""Sequences in memory as base codes."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError, UsageError
from pipelines.genome.sequence import base_codes

_OTHER = re.compile(r"[^ACGTURYSWKMBDHVN]", re.IGNORECASE | re.ASCII)


def codes_of(sequences: Iterable[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Base codes of sequences end to end.

    Args:
        sequences: letters of the IUPAC code, of either case.

    Returns:
        Codes 0 to 4, shape (sum of lengths,); and the length of each sequence, shape (sequences,).

    Raises:
        InputError: a sequence is empty, or has another character.
        UsageError: one sequence in place of a list.
    """
    if isinstance(sequences, str | bytes):
        raise UsageError("sequences: one text", "give a list, also of one sequence")
    texts = list(sequences)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"sequence {number}: {type(text).__name__}", "give text")
        if not text:
            raise InputError(f"sequence {number}: empty", "leave it out")
        if other := _OTHER.search(text):
            raise InputError(
                f"sequence {number}: {other[0]!r} at position {other.start()} is no letter of the IUPAC code",
                "give nucleotides alone, without gaps and line breaks",
            )
    letters = np.frombuffer("".join(texts).encode(), np.uint8)
    return base_codes(letters), np.array([len(text) for text in texts], dtype=np.int64)
