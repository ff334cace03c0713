"""The build cut into tasks by content alone, so that the result does not depend on the machine.

A task is a stretch of one genome: several small chromosomes together, or a piece of a large one. It gets references to
its rows, which lie in files, and reads these where it runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import schema
from pipelines.dataset import table_files
from pipelines.dataset.table_files import TableFiles
from pipelines.splits import assign, chromosome_runs
from pipelines.splits.assign import Codes
from pipelines.splits.chromosome_runs import Runs
from pipelines.stores.staging import Staging

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


def task_bases(tables: Iterable[pa.Table]) -> int:
    """Return the bases a task spans: a `TASKS`th of what all intervals span, between 4 and 16 Mb.

    Few enough tasks that starting them costs little, and enough for many workers.

    Args:
        tables: the interval table in pieces, each of whole chromosomes.
    """
    spans = 0
    for table in tables:
        firsts = chromosome_runs.first_rows(table)
        if len(firsts):
            ends, starts = table["end"].to_numpy(), table["start"].to_numpy()
            spans += int((np.maximum.reduceat(ends, firsts) - starts[firsts]).sum())
    return int(np.clip(spans // TASKS, TASK_BASES, MAX_TASK_BASES))


def task_rows(tables: Iterable[pa.Table], limit: int | None = None) -> list[slice]:
    """Cut a sorted interval table into tasks.

    Args:
        tables: the table in pieces, each of whole chromosomes, sorted by genome, chromosome and start.
        limit: bases a task may span (`TASK_BASES`).

    Returns:
        Row ranges. Each lies in one genome and spans at most `limit` plus its longest interval; its intervals have at
        most twice as many bases in all, plus one interval.
    """
    limit = TASK_BASES if limit is None else limit
    tasks: list[slice] = []
    for _, pieces in itertools.groupby(_pieces(tables, limit), key=lambda piece: piece.genome):
        of_genome = list(pieces)
        tasks += [
            slice(of_genome[group][0].first, of_genome[group][-1].last)
            for group in group_sizes([piece.span for piece in of_genome], limit)
        ]
    return tasks


@dataclass(frozen=True)
class _Piece:
    """Rows [first, last) of one stretch of a chromosome, and the bases that they count for."""

    genome: str
    first: int
    last: int
    span: int


def _pieces(tables: Iterable[pa.Table], limit: int) -> Iterator[_Piece]:
    row = bases = 0
    for table in tables:
        runs = Runs.of([table])
        start, end = table["start"].to_numpy(), table["end"].to_numpy()
        sizes = end - start
        before = bases + np.cumsum(sizes) - sizes
        # A piece ends with its genome, its chromosome, its stretch of `limit` bases, or enough bases of intervals.
        piece = np.stack([runs.of_rows(np.arange(len(runs))), start // limit, before // (2 * limit)])
        changes = np.flatnonzero((piece[:, 1:] != piece[:, :-1]).any(axis=0)) + 1
        firsts = np.append(0, changes)[: len(table)]
        if len(firsts):
            lasts = np.append(changes, len(table))
            spans = np.maximum(np.maximum.reduceat(end, firsts) - start[firsts], np.add.reduceat(sizes, firsts) // 2)
            genomes = runs.genomes.numbers[piece[0, firsts]]
            for genome, first, last, span in zip(
                genomes.tolist(), firsts.tolist(), lasts.tolist(), spans.tolist(), strict=True
            ):
                yield _Piece(runs.genomes.names[genome], row + first, row + last, span)
        row, bases = row + len(table), bases + int(sizes.sum())


@dataclass(frozen=True)
class Task:
    """The rows of one task.

    Attributes:
        number: of the task.
        genome: of all its rows.
        rows: of the interval table.
        parts: for each piece of that table with rows of the task, its number, and their first row there and the one
            after the last.
    """

    number: int
    genome: str
    rows: slice
    parts: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return self.rows.stop - self.rows.start


def cut(tables: Iterable[pa.Table]) -> list[Task]:
    """Cut an interval table, in pieces of whole chromosomes of one genome each, into tasks."""
    ends = np.cumsum([len(table) for table in tables]).tolist()
    rows = task_rows(tables, task_bases(tables))
    genomes = [table["genome"][0].as_py() if len(table) else "" for table in tables]
    tasks = []
    for number, of_task in enumerate(rows):
        first, last = np.searchsorted(ends, [of_task.start, of_task.stop - 1], side="right").tolist()
        parts = []
        for piece in range(first, last + 1):
            offset = ends[piece - 1] if piece else 0
            own = max(of_task.start - offset, 0), min(of_task.stop, ends[piece]) - offset
            if own[0] < own[1]:
                parts.append((piece, *own))
        tasks.append(Task(number, genomes[first], of_task, tuple(parts)))
    return tasks


REFERENCES = pa.schema(
    [
        ("task", pa.int64()),
        ("file", pa.string()),
        ("first", pa.int64()),
        ("last", pa.int64()),
        ("interval_id", pa.int64()),
        ("splits", pa.large_binary()),
    ]
)


def references(
    tasks: Iterable[Task], files: TableFiles, splits: Codes | None = None, *, first_id: int = 0
) -> list[pa.Table]:
    """Return a table of `REFERENCES` for each task, from which `OnRows` reads its rows.

    Args:
        tasks: of the interval table.
        files: its pieces.
        splits: of all rows; None where they have the split that is in the files.
        first_id: the id of the first row.
    """
    tables = []
    for task in tasks:
        rows, row = [], task.rows.start
        for piece, first, last in task.parts:
            codes = None if splits is None else splits[row : row + last - first].tobytes()
            values = (task.number, files.names[piece], first, last, first_id + row, codes)
            rows.append(dict(zip(REFERENCES.names, values, strict=True)))
            row += last - first
        tables.append(pa.Table.from_pylist(rows, schema=REFERENCES))
    return tables


@dataclass(frozen=True)
class OnRows:
    """A map over a task's `REFERENCES` that maps the rows which they refer to, with `task`, `interval_id` and `split`.

    Attributes:
        mapper: maps the table of one task.
        staging: holds the files of rows.
    """

    mapper: Callable[[pa.Table], pa.Table]
    staging: Staging

    def __call__(self, table: pa.Table) -> pa.Table:
        rows = [self._rows(**reference) for reference in table.to_pylist()]
        return self.mapper(pa.concat_tables(rows or [schema.INTERVALS.empty_table()]))

    def _rows(self, task: int, file: str, first: int, last: int, interval_id: int, splits: bytes | None) -> pa.Table:
        rows = table_files.read(self.staging, file).slice(first, last - first)
        return with_ids(rows, interval_id, None if splits is None else np.frombuffer(splits, np.int8)).append_column(
            "task", pa.array(np.full(len(rows), task))
        )


def with_ids(rows: pa.Table, first_id: int, splits: Codes | None) -> pa.Table:
    """Return rows as those of the interval table, and with their further columns behind.

    Args:
        rows: without ids.
        first_id: the id of the first; the others follow.
        splits: of each, shape (rows,); None where they keep the split that they have.
    """
    columns = {name: rows[name] for name in rows.column_names}
    columns["interval_id"] = pa.array(np.arange(first_id, first_id + len(rows)))
    if splits is not None:
        columns["split"] = assign.names(splits)
    names = list(dict.fromkeys([*schema.INTERVALS.names, *columns]))
    return pa.table({name: columns[name] for name in names})


def row_groups(token_counts: Sequence[int] | NDArray[np.int64], limit: int) -> list[slice]:
    """Cut rows into ranges of at most `limit` tokens each; a longer row stands alone."""
    return group_sizes(np.asarray(token_counts).tolist(), limit)
