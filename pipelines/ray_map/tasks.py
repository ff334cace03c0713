"""Maps over Arrow tables by short-lived tasks on Ray Data. A table costs the driver about 7 ms.

In a block of `in_this_process` the tables are mapped here, one after another, without Ray.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

from pipelines import os_errors
from pipelines.ray_map.errors import MAX_RETRIES, explained, lost_too_often
from pipelines.ray_map.here import maps_here
from pipelines.ray_map.nodes import INTERVAL_S, Shortage, held_by_any

if TYPE_CHECKING:
    import pyarrow as pa


def map_tables(tables: Iterable[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """Map tables over the cluster, in one task on one CPU each; or here, in a block of `in_this_process`.

    Args:
        tables: at least one. They are taken one at a time, all of them before the first is mapped on a cluster.
        function: maps a table.

    Raises:
        RaygeneError: as raised by the function.
        ResourceError: the worker of a task died `MAX_RETRIES + 1` times, or no node that is left has a CPU.
    """
    if maps_here():
        yield from _mapped_here(tables, function)
        return
    import ray

    blocks = [ray.put(table) for table in tables]
    try:
        yield from _while_nodes_last(_mapped_by_ray(blocks, function))
    except ray.exceptions.RayTaskError as error:
        raise explained(error) from error
    except ray.exceptions.RayError as error:
        raise lost_too_often(error) from error


def _mapped_by_ray(blocks: list[Any], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """The mapped tables; already the first look at the references takes a CPU, for which Ray waits."""
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
        results = ray.data.from_arrow_refs(blocks).map_batches(
            function,
            batch_format="pyarrow",
            batch_size=None,
            zero_copy_batch=True,
            num_cpus=1,
            max_retries=MAX_RETRIES,
        )
    for bundle in results.iter_internal_ref_bundles():
        for block in bundle.block_refs:
            # A block of a lost node is computed again.
            yield ray.get(block)


def _mapped_here(tables: Iterable[pa.Table], function: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        try:
            yield function(table)
        except OSError as error:
            raise os_errors.explained(error, "this process") from error


def _while_nodes_last(blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same, but an error instead of waiting for ever for a CPU that no node has."""
    # One result ahead: Ray Data computes no more than it can hand over.
    arrived: Queue[tuple[pa.Table | None, BaseException | None]] = Queue(maxsize=1)
    is_abandoned = threading.Event()

    def put(block: pa.Table | None, error: BaseException | None = None) -> None:
        while not is_abandoned.is_set():
            with suppress(Full):
                arrived.put((block, error), timeout=INTERVAL_S)
                return

    def receive() -> None:
        try:
            for block in blocks:
                put(block)
                if is_abandoned.is_set():
                    return
        except BaseException as error:
            put(None, error)
        else:
            put(None)

    threading.Thread(target=receive, daemon=True, name="results").start()
    shortage = Shortage(held_by_any(1), "a task needs a CPU")
    try:
        while True:
            try:
                block, error = arrived.get(timeout=INTERVAL_S)
            except Empty:
                shortage.require()
                continue
            if error is not None:
                raise error
            if block is None:
                return
            yield block
    finally:
        is_abandoned.set()
