"""Maps over Arrow tables on Ray Data: by tasks that come and go, or by a pool of actors that keep what they loaded.

Results come in any order. A task whose worker dies is tried again, but not for ever. A table costs some 7 ms of the driver,
an actor a few seconds to start.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pyarrow as pa

from pipelines.errors import RaygeneError, ResourceError

MAX_RETRIES = 2


def mapped(tables: list[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """Map tables over the cluster, one task on one CPU each.

    Raises:
        RaygeneError: what the function raised.
        ResourceError: a worker was lost again and again.
    """
    yield from _results(tables, function, {"num_cpus": 1, "max_retries": MAX_RETRIES})


def mapped_by_actors(
    tables: list[pa.Table], maker: type, given: tuple[Any, ...], actors: int, *, use_gpu: bool
) -> Iterator[pa.Table]:
    """Map tables over a pool of actors, each of which makes one `maker(*given)` and calls it for its tables.

    Args:
        tables: one call each.
        maker: a class whose instances map a table to a table.
        given: arguments of its constructor; they travel to every actor once.
        actors: how many, each with a CPU.
        use_gpu: give each a GPU too.

    Raises:
        RaygeneError: what a call raised.
        ResourceError: an actor was lost again and again.
    """
    import ray
    from ray.data import ActorPoolStrategy

    # Large arguments of a constructor are lost to an actor that is started again; what the driver holds is not.
    held = ray.put(given)
    pool = ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2)
    # A task's retries bound the actor's restarts, for nothing is made before the first task; a bound on restarts themselves
    # has Ray's core complain of how Ray Data starts actors.
    options: dict[str, Any] = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": MAX_RETRIES}
    options |= {"compute": pool, "fn_constructor_args": (maker, [held])} | ({"num_gpus": 1} if use_gpu else {})
    yield from _results(tables, _Actor, options)


class _Actor:
    """Makes what maps at its first table, out of arguments that lie in Ray's object store."""

    def __init__(self, maker: type, held: list[Any]) -> None:
        self._maker, self._held = maker, held

    @cached_property
    def _mapper(self) -> Any:
        import ray

        return self._maker(*ray.get(self._held[0]))

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
        # Ray 2.60 warns of every remote argument without a name of its own; without this one it retries for ever.
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
        raise
    except ray.exceptions.RayError as error:
        reason = " ".join(str(error).split())[:200]
        raise ResourceError(
            f"a worker was lost {MAX_RETRIES + 1} times ({reason})", "free memory, then run again"
        ) from error
