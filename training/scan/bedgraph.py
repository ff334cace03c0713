"""The score of a strand along the genome as bedGraph, written and read one sequence at a time.

Neighbouring bins of one score are one line; bins without a score have none. Some 2 million bins a second.
Format: bedGraph, 0-based half-open, sorted by name (byte for byte) and start.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from training.scan.grid import Grid
from training.scan.scores import NO_SCORE, SCALE

LINES_AT_ONCE = 100_000


def lines(chromosome: str, length: int, scores: NDArray[np.uint16], grid: Grid) -> Iterator[str]:
    """The lines of one sequence, many in each text.

    Args:
        chromosome: name of the sequence.
        length: number of its bases.
        scores: scores of all its bins on one strand, shape (bins,).
        grid: window and stride.
    """
    edges = grid.edges(length, 0, len(scores))
    # Signed, because a difference of unsigned numbers wraps.
    firsts = np.flatnonzero(np.append(True, np.diff(scores.astype(np.int32)) != 0))
    lasts = np.append(firsts[1:], len(scores))
    known = scores[firsts] != NO_SCORE
    firsts, lasts = firsts[known], lasts[known]
    for begin in range(0, len(firsts), LINES_AT_ONCE):
        batch = slice(begin, begin + LINES_AT_ONCE)
        rows = zip(
            edges[firsts[batch]].tolist(), edges[lasts[batch]].tolist(), scores[firsts[batch]].tolist(), strict=True
        )
        yield "".join(f"{chromosome}\t{start}\t{end}\t{score / SCALE:.4f}\n" for start, end, score in rows)


def read(path: Path, lengths: dict[str, int], grid: Grid) -> Iterator[tuple[str, NDArray[np.uint16]]]:
    """Read the scores of every sequence of a file that holds a comment and then `lines`, in order.

    Sequences without a line come as well, without a score.

    Args:
        path: the bedGraph file.
        lengths: bases of every scanned sequence, in the file's order.
        grid: window and stride of that scan.

    Raises:
        InputError: a line that such a scan does not write, with its number.
    """
    name, scores = "", np.empty(0, np.uint16)
    remaining = iter(lengths)
    with path.open(encoding="utf-8", newline="\n") as stream:
        next(stream, "")
        for number, line in enumerate(stream, 2):
            columns = line.split("\t")
            while columns[0] != name:
                if name:
                    yield name, scores
                name = next(remaining, "")
                if not name:
                    raise InputError(f"{path}: line {number}: sequence {columns[0]} is out of order", "scan again")
                scores = np.full(grid.bins(lengths[name]), NO_SCORE, np.uint16)
            bins, score = _parse(columns, lengths[name], grid, f"{path}: line {number}")
            scores[bins] = score
    if name:
        yield name, scores
    for name in remaining:
        yield name, np.full(grid.bins(lengths[name]), NO_SCORE, np.uint16)


def _parse(columns: list[str], length: int, grid: Grid, line: str) -> tuple[slice, int]:
    """The bins of a line and their score; `line` names it in errors."""
    try:
        _, start, end, score = columns
        first, last, value = int(start), int(end), float(score)
    except ValueError as error:
        raise InputError(f"{line}: not four columns of a bedGraph", "scan again") from error
    if first % grid.stride or not 0 <= first < last <= length or not 0 <= value <= 1:
        raise InputError(f"{line}: not a line of this scan", "scan again")
    return slice(first // grid.stride, grid.bins(last)), round(value * SCALE)
