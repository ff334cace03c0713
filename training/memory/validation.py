"""Memory of what a worker of structure holds apart from its steps, to decode validation after each epoch."""

from __future__ import annotations

from training.engine.objectives.validation_pieces import PIECE_BASES

DECODER = 110_000_000
"""Bytes of Numba and of the decoder's compiled code in a worker that validates."""
SCORES = 96
"""Bytes a base of a piece of validation while it is decoded."""


def decoding_bytes(longest: int) -> int:
    """Bytes that a worker holds to decode validation piece by piece.

    Args:
        longest: bases of the longest window.
    """
    return DECODER + SCORES * max(PIECE_BASES, longest)
