"""Scores of bins as whole numbers: ten-thousandths, two bytes each.

What is written, called and compared is the same number, so that calls made again from the tracks are the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines import storage
from pipelines.errors import DatasetError

SCALE = 10_000
NO_SCORE = np.uint16(65_535)
STRANDS = ("+", "-")
Scores = NDArray[np.uint16]


def pack(values: NDArray[np.float64]) -> Scores:
    """Convert scores from 0 to 1, NaN for no score, to ten-thousandths. Shape as given."""
    known = ~np.isnan(values)
    return np.where(known, np.rint(np.where(known, values, 0) * SCALE), NO_SCORE).astype(np.uint16)


def threshold_level(threshold: float) -> int:
    """The lowest score in ten-thousandths, from 1 on, that is not below a threshold from 0 to 1."""
    # A threshold such as 0.07 is a little more than 700 ten-thousandths in binary.
    return max(int(np.ceil(threshold * SCALE - 1e-9)), 1)


def write(scores: Scores, path: Path) -> None:
    """Write scores of shape (2, bins), + before -, whole or not at all."""
    with storage.replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, scores, allow_pickle=False)


def read(path: Path, bins: int) -> Scores:
    """Read the scores of a file, shape (2, bins).

    Raises:
        DatasetError: missing, damaged or of another size.
    """
    try:
        scores = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path}: cannot be read ({error})", "delete it and run the scan again") from error
    if scores.dtype != np.uint16 or scores.shape != (2, bins):
        raise DatasetError(f"{path}: not the scores of {bins} bins", "delete it and run the scan again")
    return scores
