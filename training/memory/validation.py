"""Memory of decoding validation: in a worker after each epoch, and in the driver where the decoder is fitted."""

from __future__ import annotations

from training.engine.objectives.validation_pieces import PIECE_BASES

DECODER = 110_000_000
"""Bytes of Numba and of the decoder's compiled code in a worker that validates."""
SCORES = 96
"""Bytes a base of a piece of validation while it is decoded."""

FIT = 320_000_000
"""Bytes of the network, Numba and the decoder's compiled code where the decoder is fitted."""
FIT_SCORES = 100
"""Bytes a base of validation while the decoder is fitted: scores, code and states of all of it are held."""


def decoding_bytes(longest: int) -> int:
    """Bytes that a worker holds to decode validation piece by piece.

    Args:
        longest: bases of the longest window.
    """
    return DECODER + SCORES * max(PIECE_BASES, longest)


def fitting_bytes(bases: int) -> int:
    """Bytes by which the driver grows while it fits the decoder to the scores of validation, after the workers ended.

    Args:
        bases: of validation that are decoded.
    """
    return FIT + FIT_SCORES * bases


def most_bases(size: float) -> int:
    """The most bases of validation for which fitting the decoder takes no more than a number of bytes; at least 0."""
    return max(0, int(size - FIT) // FIT_SCORES)
