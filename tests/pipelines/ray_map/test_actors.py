from __future__ import annotations

import os
import signal
import time
from collections import deque
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.errors import InputError, ResourceError
from pipelines.ray_map import actors, errors, map_tables_on_actors, shared_actors
from pipelines.ray_map.actors import _assign, _Pool, _Worker
from tests.pipelines.ray_map.mappers import Adds, AnotherProcess, Process, Refuses

pytestmark = pytest.mark.ray


def tables() -> list[pa.Table]:
    return [pa.table({"x": [number]}) for number in range(6)]


def values(results: list[pa.Table]) -> list[int]:
    return sorted(value for table in results for value in table["x"].to_pylist())


def test_actors_map_every_table_once(ray_session: None) -> None:
    results = list(map_tables_on_actors(tables(), Adds, (10, None), 2, use_gpu=False))
    assert values(results) == [10, 11, 12, 13, 14, 15]


def test_maps_of_a_block_use_the_same_actors_which_end_with_it(ray_session: None) -> None:
    with shared_actors():
        first, second = (
            values(list(map_tables_on_actors(tables(), mapper, (), 1, use_gpu=False)))
            for mapper in (Process, AnotherProcess)
        )
    assert first == second
    await_end(first)


def await_end(processes: list[int]) -> None:
    """Wait until the one process of a map has ended."""
    (process,) = set(processes)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_actor_that_was_lost_between_two_maps_is_replaced_and_is_no_failed_start(
    ray_session: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors, "MAX_RETRIES", 0)
    with shared_actors():
        first = values(list(map_tables_on_actors(tables(), Process, (), 1, use_gpu=False)))
        os.kill(first[0], signal.SIGKILL)
        await_end(first)
        second = values(list(map_tables_on_actors(tables(), Process, (), 1, use_gpu=False)))
    assert len(second) == 6
    assert not set(first) & set(second)


@pytest.mark.full
def test_a_map_on_gpus_ends_the_actors_of_the_block_and_leaves_none_to_the_next(ray_session: None) -> None:
    with shared_actors():
        first = values(list(map_tables_on_actors(tables(), Process, (), 1, use_gpu=False)))
        _Pool(Process, (), 1, use_gpu=True)
        assert actors._idle.get() == []
        await_end(first)
        assert values(list(map_tables_on_actors(tables(), Adds, (10, None), 1, use_gpu=False))) == list(range(10, 16))


@pytest.mark.full
def test_a_map_that_fails_leaves_no_actor_with_work_to_the_next_of_the_block(ray_session: None) -> None:
    with shared_actors():
        with pytest.raises(InputError, match="line 3"):
            list(map_tables_on_actors(tables(), Refuses, (), 1, use_gpu=False))
        assert actors._idle.get() == []
        assert values(list(map_tables_on_actors(tables(), Adds, (10, None), 1, use_gpu=False))) == list(range(10, 16))


class Actor:
    """What stands for an actor's handle: its answer to a table is an object of its own."""

    @property
    def map(self) -> Actor:
        return self

    def remote(self, table: pa.Table) -> object:
        return object()


@pytest.mark.parametrize(("count", "calls"), [(1, [1]), (2, [1]), (3, [2]), (4, [2])])
def test_a_table_is_left_for_an_actor_that_is_starting(count: int, calls: list[int]) -> None:
    workers, waiting = [_Worker(Actor(), None), _Worker(Actor(), object())], deque(range(count))
    _assign(workers, tables(), waiting)
    assert [len(worker.calls) for worker in workers] == [*calls, 0]
    assert list(waiting) == list(range(calls[0], count))


def test_an_actor_that_dies_is_started_again_and_nothing_is_lost(ray_session: None, tmp_path: Path) -> None:
    results = list(map_tables_on_actors(tables(), Adds, (10, tmp_path / "died"), 1, use_gpu=False))
    assert values(results) == [10, 11, 12, 13, 14, 15]


def test_an_actor_that_dies_again_and_again_is_an_error(ray_session: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (actors, errors):
        monkeypatch.setattr(module, "MAX_RETRIES", 1)
    with pytest.raises(ResourceError, match="a worker was lost 2 times"):
        list(map_tables_on_actors(tables(), Adds, (10, None, True), 1, use_gpu=False))


def test_an_error_that_a_user_can_fix_arrives_as_it_was_raised(ray_session: None) -> None:
    with pytest.raises(InputError, match="line 3"):
        list(map_tables_on_actors(tables(), Refuses, (), 1, use_gpu=False))
