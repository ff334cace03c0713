"""Tasks that write the files of a dataset, run by Ray and put together from their records."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.errors import DatasetError
from pipelines.progress import Stage
from pipelines.ray_map import map_tables, maps_here, nodes
from pipelines.stores.staging import Staging

MAX_TASKS_IN_GROUP = 4


@dataclass(frozen=True)
class EachTask:
    """A map over tables of one or more tasks that maps each task's rows on their own.

    Attributes:
        mapper: maps the table of one task.
    """

    mapper: Callable[[pa.Table], pa.Table]

    def __call__(self, table: pa.Table) -> pa.Table:
        edges = np.flatnonzero(np.diff(table["task"].to_numpy())) + 1
        bounds = itertools.pairwise([0, *edges.tolist(), len(table)])
        return pa.concat_tables([self.mapper(table.slice(first, last - first)) for first, last in bounds])


def map_tasks(tasks: list[pa.Table], mapper: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """Map every task, as `map_tables` maps tables; what several tasks give may come as one table.

    Args:
        tasks: one table each, with its number in the column `task`.
        mapper: maps the table of one task.
    """
    return map_tables(_grouped(tasks), EachTask(mapper))


def write(
    tasks: list[pa.Table], mapper: Callable[[pa.Table], pa.Table], rows: int, staging: Staging, stage: Stage
) -> Iterator[dict[str, Any]]:
    """Have a map write every task; yield the record of each, in any order.

    Args:
        tasks: one table each, with its number in the column `task`.
        mapper: writes the files of a task, and returns its record.
        rows: that all tasks together have to write.
        staging: what becomes the dataset.
        stage: shows the rows that are written.

    Raises:
        DatasetError: the records do not add up to all rows and tasks.
    """
    written = finished = 0
    for records in map_tasks(tasks, mapper):
        for text in records["record"].to_pylist():
            record = json.loads(text)
            of_task = sum(file["rows"] for file in record["files"])
            stage.advance(of_task)
            written, finished = written + of_task, finished + 1
            yield record
    if written != rows or finished != len(tasks):
        raise DatasetError(f"{staging}: {written} rows written instead of {rows}", "run the build again")


def by_path(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The manifest's entries on files, in the order of their paths."""
    return sorted(files, key=lambda file: file["path"])


def _grouped(tasks: list[pa.Table]) -> list[pa.Table]:
    """Put several tasks into one table where each CPU has many: a Ray task costs a millisecond, one of ours some 50."""
    if maps_here():
        return tasks
    cpus = sum(node.cpus for node in nodes.living())
    size = int(np.clip(len(tasks) // (8 * max(cpus, 1)), 1, MAX_TASKS_IN_GROUP))
    return [pa.concat_tables(tasks[first : first + size]) for first in range(0, len(tasks), size)]
