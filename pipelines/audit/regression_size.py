"""How much of a dataset the regression on k-mers is fitted on, and the memory that takes; imports no library."""

from __future__ import annotations

K = 5
MAX_ROWS = 100_000
"""Rows of train that are fitted, and of validation that are scored, at most."""
CHUNK_ROWS = 1 << 12
"""Rows that are scored at a time."""
_NUMBER = 4
_WHOLE_FIT = 220_000_000
"""For any number of rows: libraries and what is counted and scored at a time."""
_OF_CLASS = 40
"""For each row and class: three numbers of 8 bytes of a fit, and two of a row of validation."""


def most_bytes(rows: int, classes: int = 0) -> int:
    """Bytes that fitting takes at most, in a process that has trained or planned a model with PyTorch.

    A float32 for each k-mer of each row of train; scikit-learn, SciPy and pandas, which the fit imports (117 MB); and
    what counting and scoring take. 4,000 to 100,000 rows of 500 bases were measured in fresh processes, each without
    the pages of its dataset's files. Rows of validation do not count; of classes their probabilities are taken to be as
    many as those of train.

    Args:
        rows: of train.
        classes: of a multinomial regression; 0 for one of two labels.
    """
    return min(rows, MAX_ROWS) * (4**K * _NUMBER + classes * _OF_CLASS) + _WHOLE_FIT
