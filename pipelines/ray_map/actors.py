"""Maps over Arrow tables by a pool of Ray actors that keep what they loaded.

The pool is of plain actors: a pool of Ray Data waits for ever for one whose node was lost, and with it for its tables.
Here the tables of a lost actor go to the others, and an actor in its place joins when there is room for it. An actor
takes a few seconds to start.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.errors import ResourceError, one_line
from pipelines.ray_map.errors import MAX_RETRIES, explained, lost_too_often
from pipelines.ray_map.nodes import INTERVAL_S, Shortage, held_by_any

if TYPE_CHECKING:
    import pyarrow as pa

CALLS_AHEAD = 2
"""Tables that an actor has at once, so that it need not wait for the driver between two of them."""
_idle: ContextVar[list[Any] | None] = ContextVar("raygene_idle_actors", default=None)
"""Actors without a GPU that earlier maps of a block of `shared_actors` have left; None outside of one."""


@contextmanager
def shared_actors() -> Iterator[None]:
    """Have maps of the block, one after another, use the same actors where they need no GPU: to start takes seconds."""
    idle: list[Any] = []
    token = _idle.set(idle)
    try:
        yield
    finally:
        _idle.reset(token)
        _end(idle)


def map_tables_on_actors(
    tables: list[pa.Table], mapper: type, arguments: tuple[Any, ...], actors: int, *, use_gpu: bool
) -> Iterator[pa.Table]:
    """Map tables over a pool of actors, each of which creates one `mapper(*arguments)` and calls it for its tables.

    Args:
        tables: one call each, begun in this order.
        mapper: a class whose instances map a table to a table.
        arguments: arguments of its constructor; they are sent to every node once.
        actors: size of the pool; each actor takes one CPU.
        use_gpu: give each actor a GPU too.

    Raises:
        RaygeneError: as raised by a call.
        ResourceError: the actor of a call died `MAX_RETRIES + 1` times, or no node that is left can hold an actor.
    """
    pool = _Pool(mapper, arguments, actors, use_gpu=use_gpu)
    try:
        yield from pool.map(tables)
    finally:
        pool.close()


class MapWorker:
    """The actor: creates the mapper of a map for its first table, from arguments in Ray's object store."""

    # The list keeps Ray from replacing the reference by its value.
    def use(self, mapper: type, references: list[Any]) -> None:
        """Begin another map; the objects that the mapper of the last has loaded are released."""
        self._mapper: Any = None
        self._mapper_class, self._references = mapper, references

    def map(self, table: pa.Table) -> pa.Table:
        if self._mapper is None:
            import ray

            self._mapper = self._mapper_class(*ray.get(self._references[0]))
        return self._mapper(table)


@dataclass(eq=False)
class _Worker:
    """An actor and what it was asked.

    Attributes:
        actor: Ray's handle.
        start: reference to the answer of `use`; None once it has come.
        is_new: whether it was started for this map.
        calls: reference to each result that is still to come, and the number of its table, in the order of the calls.
    """

    actor: Any
    start: Any
    is_new: bool = True
    calls: dict[Any, int] = field(default_factory=dict)


class _Pool:
    """Actors, and the tables that each of them has.

    Args:
        mapper: as for `map_tables_on_actors`.
        arguments: likewise.
        size: likewise.
        use_gpu: likewise.
    """

    def __init__(self, mapper: type, arguments: tuple[Any, ...], size: int, *, use_gpu: bool) -> None:
        import ray

        self._size, self._workers = size, list[_Worker]()
        self._idle = _idle.get()
        if use_gpu and self._idle is not None:
            # Idle ones hold CPUs that actors with a GPU need too.
            _end(self._idle)
            self._idle = None
        self._mapper, self._arguments = mapper, [ray.put(arguments)]
        # A lost actor is not restarted by Ray, which would keep its calls until there is room for it.
        options: dict[str, Any] = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}
        options |= {"scheduling_strategy": "SPREAD"} | ({"num_gpus": 1} if use_gpu else {})
        self._actor: Any = ray.remote(**options)(MapWorker)
        needs = f"a worker needs a CPU{' and a GPU' if use_gpu else ''}"
        self._shortage = Shortage(held_by_any(1, int(use_gpu)), needs)
        self._failed_starts = 0

    def map(self, tables: list[pa.Table]) -> Iterator[pa.Table]:
        """The results, in any order."""
        import ray

        waiting, losses = deque(range(len(tables))), Counter[int]()
        while True:
            remaining = len(waiting) + sum(len(worker.calls) for worker in self._workers)
            if not remaining:
                return
            self._start(min(self._size, remaining))
            _assign(self._workers, tables, waiting)
            references = [
                reference
                for worker in self._workers
                for reference in ([worker.start] if worker.start else worker.calls)
            ]
            done, _ = ray.wait(references, timeout=INTERVAL_S)
            self._shortage.require()
            for reference in done:
                worker = next(one for one in self._workers if reference == one.start or reference in one.calls)
                try:
                    result = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise explained(error) from error
                except ray.exceptions.RayError as error:
                    self._lose(worker, waiting, losses, error)
                    continue
                if worker.start is not None:
                    worker.start = None
                    continue
                self._failed_starts = 0
                del worker.calls[reference]
                yield result

    def close(self) -> None:
        """End all actors, but for those that another map may use and that have nothing to do."""
        for worker in self._workers:
            if self._idle is None or worker.start is not None or worker.calls:
                _end([worker.actor])
            else:
                self._idle.append(worker.actor)
        self._workers = []

    def _start(self, size: int) -> None:
        while len(self._workers) < size:
            is_new = not self._idle
            actor = self._idle.pop() if self._idle else self._actor.remote()
            self._workers.append(_Worker(actor, actor.use.remote(self._mapper, self._arguments), is_new))

    def _lose(self, worker: _Worker, waiting: deque[int], losses: Counter[int], error: Exception) -> None:
        """Take the tables of a lost actor back.

        Raises:
            ResourceError: actors that had its first table, or that were starting, were lost too often.
        """
        self._workers.remove(worker)
        _end([worker.actor])
        numbers = list(worker.calls.values())
        waiting.extendleft(reversed(numbers))
        if numbers:
            losses[numbers[0]] += 1
            if losses[numbers[0]] > MAX_RETRIES:
                raise lost_too_often(error) from error
            return
        # One of an earlier map may have been lost since, with its node for instance: another takes its place.
        self._failed_starts += worker.is_new
        if self._failed_starts > MAX_RETRIES * self._size:
            raise ResourceError(
                f"workers ended while they were starting ({one_line(error, 200)})", "run again with --verbose"
            ) from error


def _end(actors: list[Any]) -> None:
    """Take all actors out of a list, and end them, whatever they do."""
    while actors:
        # Where there was none, Ray need not be imported.
        import ray

        # Ray may be gone.
        with suppress(Exception):
            ray.kill(actors.pop())


def _assign(workers: Sequence[_Worker], tables: Sequence[pa.Table], waiting: deque[int]) -> None:
    """Give waiting tables to actors that have started, first to those that have least to do.

    One is left for each actor that is starting, unless another would have none.

    Args:
        workers: the actors.
        tables: all of them.
        waiting: numbers of the tables that no actor has; those that are given are taken out.
    """
    started = [worker for worker in workers if worker.start is None]
    starting = len(workers) - len(started)
    for ahead in range(CALLS_AHEAD):
        for worker in started:
            if len(waiting) > (starting if ahead else 0) and len(worker.calls) == ahead:
                number = waiting.popleft()
                worker.calls[worker.actor.map.remote(tables[number])] = number
