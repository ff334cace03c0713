"""Maps over Arrow tables on Ray Data, by short-lived tasks or by a pool of actors that keep what they loaded.

Results come in any order. A task whose worker dies is retried, a limited number of times. A table costs the driver
about 7 ms, and an actor takes a few seconds to start.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pyarrow as pa

from pipelines import os_errors
from pipelines.errors import RaygeneError, ResourceError

MAX_RETRIES = 2


def map_tables(tables: list[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """Map tables over the cluster, in one task on one CPU each.

    Raises:
        RaygeneError: as raised by the function.
        ResourceError: the worker of a task died `MAX_RETRIES + 1` times.
    """
    yield from _results(tables, function, {"num_cpus": 1, "max_retries": MAX_RETRIES})


def map_tables_on_actors(
    tables: list[pa.Table], mapper: type, arguments: tuple[Any, ...], actors: int, *, use_gpu: bool
) -> Iterator[pa.Table]:
    """Map tables over a pool of actors, each of which creates one `mapper(*arguments)` and calls it for its tables.

    Args:
        tables: one call each.
        mapper: a class whose instances map a table to a table.
        arguments: arguments of its constructor; they are sent to every actor once.
        actors: size of the pool; each actor takes one CPU.
        use_gpu: give each actor a GPU too.

    Raises:
        RaygeneError: as raised by a call.
        ResourceError: the actor of a call died `MAX_RETRIES + 1` times.
    """
    import ray
    from ray.data import ActorPoolStrategy

    # A restarted actor loses large constructor arguments, unless the driver holds them in the object store.
    reference = ray.put(arguments)
    pool = ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2)
    # The retries of tasks bound the restarts of actors, since an actor creates its mapper only for its first task.
    # A bound on restarts themselves makes Ray's core warn about the way Ray Data starts actors.
    options: dict[str, Any] = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": MAX_RETRIES}
    options |= {"compute": pool, "fn_constructor_args": (mapper, [reference])} | ({"num_gpus": 1} if use_gpu else {})
    yield from _results(tables, _Actor, options)


class _Actor:
    """Creates the mapper for its first table, from arguments in Ray's object store."""

    # The list keeps Ray from replacing the reference by its value.
    def __init__(self, mapper: type, references: list[Any]) -> None:
        self._mapper_class, self._references = mapper, references

    @cached_property
    def _mapper(self) -> Any:
        import ray

        return self._mapper_class(*ray.get(self._references[0]))

    def __call__(self, table: pa.Table) -> pa.Table:
        return self._mapper(table)


def _results(tables: list[pa.Table], function: Any, options: dict[str, Any]) -> Iterator[pa.Table]:
    import ray
    from ray.data import DataContext

    context = DataContext.get_current()
    context.raise_original_map_exception = True
    # Reserving resources for operators that do not exist left one of two CPUs idle half of the time.
    context.op_resource_reservation_enabled = False
    with warnings.catch_warnings():
        # Ray 2.60 warns about remote arguments that Ray Data has no names for, `max_retries` among them; without
        # that one it retries for ever.
        warnings.simplefilter("ignore")
        results = ray.data.from_arrow(tables).map_batches(
            function, batch_format="pyarrow", batch_size=None, zero_copy_batch=True, **options
        )
    try:
        for bundle in results.iter_internal_ref_bundles():
            for block in bundle.block_refs:
                yield ray.get(block)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, RaygeneError):
            raise error.cause from None
        if isinstance(error.cause, OSError):
            raise os_errors.explained(error.cause, "a worker") from error
        raise
    except ray.exceptions.RayError as error:
        reason = " ".join(str(error).split())[:200]
        raise ResourceError(
            f"a worker was lost {MAX_RETRIES + 1} times ({reason})", "free memory, then run again"
        ) from error
