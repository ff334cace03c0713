"""Maps over Arrow tables by short-lived tasks of Ray. A table costs the driver a millisecond or less.

In a block of `in_this_process` the tables are mapped here, one after another, without Ray.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pipelines import os_errors
from pipelines.ray_map.errors import MAX_RETRIES, explained, lost_too_often
from pipelines.ray_map.here import maps_here
from pipelines.ray_map.nodes import INTERVAL_S, Shortage, held_by_any

if TYPE_CHECKING:
    import pyarrow as pa

_OPTIONS: dict[str, Any] = {"num_cpus": 1, "max_retries": MAX_RETRIES, "scheduling_strategy": "SPREAD"}
_WATCHED = 256
"""Tasks that the driver waits for at a time, in the order in which they began: each look takes time for all of them."""


def map_tables(tables: Iterable[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """Map tables over the cluster, in one task on one CPU each; or here, in a block of `in_this_process`.

    Args:
        tables: at least one. On a cluster all are taken before the first result.
        function: maps a table.

    Raises:
        RaygeneError: as raised by the function.
        ResourceError: the worker of a task died `MAX_RETRIES + 1` times, or no node that is left has a CPU.
    """
    if maps_here():
        yield from _mapped_here(tables, function)
        return
    import ray

    # The function is sent to every node once, and not with each task.
    name = getattr(function, "__name__", type(function).__name__)
    shared, task = ray.put(function), ray.remote(**_OPTIONS)(_map).options(name=f"Map({name})")
    running = [task.remote(shared, table) for table in tables]
    shortage = Shortage(held_by_any(1), "a task needs a CPU")
    try:
        while running:
            done, others = ray.wait(running[:_WATCHED], timeout=INTERVAL_S)
            if not done:
                shortage.require()
            running = others + running[_WATCHED:]
            # Nothing else refers to a result, which so leaves Ray's memory when it was used.
            yield from ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise explained(error) from error
    except ray.exceptions.RayError as error:
        raise lost_too_often(error) from error
    finally:
        for reference in running:
            # Ray may be gone.
            with suppress(Exception):
                ray.cancel(reference, force=True)


def _map(function: Callable[[pa.Table], pa.Table], table: pa.Table) -> pa.Table:
    """Map a table in a worker."""
    return function(table)


def _mapped_here(tables: Iterable[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        try:
            yield function(table)
        except OSError as error:
            raise os_errors.explained(error, "this process") from error
