"""The build cut into tasks by content alone, so that the result does not depend on the machine.

A task is a stretch of one genome: whole small chromosomes together, or a piece of a large one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

TASK_BASES = 4_000_000


def grouped(sizes: Iterable[int], limit: int | None = None) -> list[slice]:
    """Cut a sequence of sizes into runs that add up to `limit` (`TASK_BASES`) at most; a larger one stands alone."""
    limit = TASK_BASES if limit is None else limit
    runs: list[slice] = []
    first = total = 0
    count = -1
    for count, size in enumerate(sizes):
        if count > first and total + size > limit:
            runs.append(slice(first, count))
            first, total = count, 0
        total += size
    if count >= first:
        runs.append(slice(first, count + 1))
    return runs


def stretches(table: pa.Table) -> list[slice]:
    """Cut a sorted interval table into tasks.

    Args:
        table: sorted by genome, chromosome and start.

    Returns:
        Row ranges. Each lies in one genome and spans at most `TASK_BASES` plus its longest interval.
    """
    genome, chromosome = _codes(table["genome"]), _codes(table["chromosome"])
    start, end = table["start"].to_numpy(), table["end"].to_numpy()
    piece = np.stack([genome, chromosome, start // TASK_BASES])
    edges = np.flatnonzero((piece[:, 1:] != piece[:, :-1]).any(axis=0)) + 1
    firsts = np.append(0, edges)
    lasts = np.append(edges, len(table))
    spans = np.maximum.reduceat(end, firsts) - start[firsts]
    tasks: list[slice] = []
    for run in _runs(genome[firsts]):
        for group in grouped(spans[run].tolist()):
            rows = range(run.start, run.stop)[group]
            tasks.append(slice(int(firsts[rows[0]]), int(lasts[rows[-1]])))
    return tasks


def row_groups(token_counts: Sequence[int] | NDArray[np.int64], limit: int) -> list[slice]:
    """Row ranges of at most `limit` tokens each; a longer row stands alone."""
    return grouped(np.asarray(token_counts).tolist(), limit)


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return column.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _runs(values: NDArray[np.int64]) -> list[slice]:
    edges = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist(), len(values)]
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
