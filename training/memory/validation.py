"""Memory of decoding validation: in a worker after each epoch, and in the driver where the decoder is fitted."""

from __future__ import annotations

from training.engine.objectives.validation_pieces import PIECE_BASES

DECODER = 66_000_000
"""Bytes of Numba and of the decoder's compiled code in a worker that validates; the first process on a machine, which
compiles it, takes 100 MB more."""
SCORES = 96
"""Bytes a base of a piece of validation while it is decoded."""
FIT = 210_000_000
"""Bytes of Numba, of the decoder's compiled code and of what it finds, where the decoder is fitted."""
FIT_SCORES = 100
"""Bytes a base of validation while the decoder is fitted: scores, code and states of all of it are held."""
GAPS, GAPS_OF_LSTM = 0.75, 1.0
"""What gaps between blocks may add to a step, as a share of it. oneDNN's LSTM takes its workspace as one block, which
leaves a larger gap than any other tensor fills."""
SMALL = 20_000_000
"""Bytes that small objects among the blocks add."""


def decoding_bytes(longest: int) -> int:
    """Bytes that a worker holds to decode validation piece by piece.

    Args:
        longest: bases of the longest window.
    """
    return DECODER + _scores(longest)


def fitting_bytes(bases: int, scoring: int) -> int:
    """Bytes by which the driver grows while it fits the decoder to the scores of validation, after the workers ended.

    Args:
        bases: of validation that are decoded.
        scoring: bytes that the network takes to score a batch of them.
    """
    return FIT + scoring + FIT_SCORES * bases


def most_bases(size: float, scoring: int) -> int:
    """The most bases of validation for which fitting the decoder takes no more than a number of bytes; at least 0.

    Args:
        size: bytes that it may take.
        scoring: as of `fitting_bytes`.
    """
    return max(0, int(size - FIT - scoring) // FIT_SCORES)


def allowed_bytes(step: float, kind: str) -> int:
    """What a step and the freed memory that a worker on a CPU retains may take together: what exceeds it goes back.

    Without that (`training.engine.process.heap`) gaps between blocks grow for thousands of steps: four runs of one
    network ended at 1,044 to 1,141 MB.

    Args:
        step: bytes of a step.
        kind: of body.
    """
    return round(step * (1 + (GAPS_OF_LSTM if kind == "lstm" else GAPS))) + SMALL


def retained_bytes(step: float, longest: int, kind: str) -> int:
    """Freed memory that a worker on a CPU retains beyond a step and `decoding_bytes`, whose scores lie in it.

    Args:
        step: bytes of a step.
        longest: bases of the longest window.
        kind: of body.
    """
    return max(0, allowed_bytes(step, kind) - round(step) - _scores(longest))


def _scores(longest: int) -> int:
    return SCORES * max(PIECE_BASES, longest)
