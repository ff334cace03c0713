"""The part of validation that is decoded after each epoch: pieces of stretches, spread evenly over the split.

A piece is some whole rows of one stretch, side by side. Pieces depend on the dataset and on how many bases are wanted,
and on nothing else, so that figures do not depend on the workers who share them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.data.step_plan import Rows

PIECE_BASES = 200_000
"""Bases of a piece, to which whole rows are joined. Scores take 96 bytes a base while a piece is decoded."""


def cut(offsets: NDArray[np.int64], stretches: NDArray[np.int64], bases: int = PIECE_BASES) -> list[Rows]:
    """All rows of a split as pieces of about the same length.

    Args:
        offsets: where each row starts, and the end of the last one, shape (rows + 1,).
        stretches: start and end of the stretch that each row lies in, shape (rows, 2).
        bases: of a piece, at most, but for a single longer row.

    Returns:
        Row numbers of each piece, ascending.
    """
    pieces: list[Rows] = []
    first = 0
    for row in range(1, len(offsets)):
        ends = row == len(offsets) - 1 or stretches[row, 0] != stretches[first, 0]
        if ends or offsets[row + 1] - offsets[first] > bases:
            pieces.append(np.arange(first, row))
            first = row
    return pieces


def spread(pieces: list[Rows], offsets: NDArray[np.int64], bases: int) -> list[Rows]:
    """As many pieces, evenly spaced, as hold a number of bases; at least one.

    Args:
        pieces: all of them, in order.
        offsets: where each row starts, shape (rows + 1,).
        bases: wanted at most.
    """
    total = int(offsets[-1] - offsets[0])
    count = min(len(pieces), max(1, len(pieces) * bases // max(total, 1)))
    return [pieces[number] for number in np.unique(np.linspace(0, len(pieces) - 1, count).round().astype(int))]


def dealt(pieces: list[Rows], workers: int, rank: int) -> Iterator[tuple[int, Rows]]:
    """The number and rows of each piece that one worker takes."""
    for number in range(rank, len(pieces), workers):
        yield number, pieces[number]
