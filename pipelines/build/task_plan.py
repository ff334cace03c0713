"""The build cut into tasks by content alone, so that the result does not depend on the machine.

A task is a stretch of one genome: several small chromosomes together, or a piece of a large one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

TASK_BASES, MAX_TASK_BASES = 4_000_000, 16_000_000
TASKS = 64


def group_sizes(sizes: Iterable[int], limit: int | None = None) -> list[slice]:
    """Cut a sequence of sizes into runs that add up to at most `limit` (`TASK_BASES`); a larger size stands alone."""
    limit = TASK_BASES if limit is None else limit
    runs: list[slice] = []
    first = total = 0
    index = -1
    for index, size in enumerate(sizes):
        if index > first and total + size > limit:
            runs.append(slice(first, index))
            first, total = index, 0
        total += size
    if index >= first:
        runs.append(slice(first, index + 1))
    return runs


def task_bases(table: pa.Table) -> int:
    """Return the bases a task spans: a `TASKS`th of what all intervals span, between 4 and 16 Mb.

    Few enough tasks that starting them costs little, and enough for many workers.
    """
    if len(table) == 0:
        return TASK_BASES
    genome, chromosome = _codes(table["genome"]), _codes(table["chromosome"])
    firsts = np.flatnonzero(np.append(True, (np.diff(genome) != 0) | (np.diff(chromosome) != 0)))
    spans = np.maximum.reduceat(table["end"].to_numpy(), firsts) - table["start"].to_numpy()[firsts]
    return int(np.clip(spans.sum() // TASKS, TASK_BASES, MAX_TASK_BASES))


def task_rows(table: pa.Table, limit: int | None = None) -> list[slice]:
    """Cut a sorted interval table into tasks.

    Args:
        table: sorted by genome, chromosome and start.
        limit: bases a task may span (`TASK_BASES`).

    Returns:
        Row ranges. Each lies in one genome and spans at most `limit` plus its longest interval; its intervals have at
        most twice as many bases in all, plus one interval.
    """
    limit = TASK_BASES if limit is None else limit
    genome, chromosome = _codes(table["genome"]), _codes(table["chromosome"])
    start, end = table["start"].to_numpy(), table["end"].to_numpy()
    sizes = end - start
    # A piece ends with its genome, its chromosome, its stretch of `limit` bases, or enough bases of intervals.
    piece = np.stack([genome, chromosome, start // limit, (np.cumsum(sizes) - sizes) // (2 * limit)])
    edges = np.flatnonzero((piece[:, 1:] != piece[:, :-1]).any(axis=0)) + 1
    firsts = np.append(0, edges)
    lasts = np.append(edges, len(table))
    spans = np.maximum(np.maximum.reduceat(end, firsts) - start[firsts], np.add.reduceat(sizes, firsts) // 2)
    tasks: list[slice] = []
    for run in _runs_of_equal(genome[firsts]):
        for group in group_sizes(spans[run].tolist(), limit):
            pieces = range(run.start, run.stop)[group]
            tasks.append(slice(int(firsts[pieces[0]]), int(lasts[pieces[-1]])))
    return tasks


def cut(table: pa.Table) -> list[pa.Table]:
    """Cut the interval table into tasks and append each one's number as the column `task`."""
    limit = task_bases(table)
    return [
        table.slice(rows.start, rows.stop - rows.start).append_column(
            "task", pa.array(np.full(rows.stop - rows.start, number))
        )
        for number, rows in enumerate(task_rows(table, limit))
    ]


def row_groups(token_counts: Sequence[int] | NDArray[np.int64], limit: int) -> list[slice]:
    """Cut rows into ranges of at most `limit` tokens each; a longer row stands alone."""
    return group_sizes(np.asarray(token_counts).tolist(), limit)


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return column.dictionary_encode().combine_chunks().indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _runs_of_equal(values: NDArray[np.int64]) -> list[slice]:
    edges = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist(), len(values)]
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
