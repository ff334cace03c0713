from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.errors import InputError, ResourceError
from pipelines.ray_map import actors, errors, kept_actors, map_tables_on_actors
from pipelines.ray_map.actors import _assign, _Worker
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
    with kept_actors():
        first, second = (
            values(list(map_tables_on_actors(tables(), mapper, (), 1, use_gpu=False)))
            for mapper in (Process, AnotherProcess)
        )
    assert first == second
    (process,) = set(first)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Actor:
    """What stands for an actor's handle: its answer to a table is an object of its own."""

    @property
    def map(self) -> Actor:
        return self

    def remote(self, table: pa.Table) -> object:
        return object()


@pytest.mark.parametrize(("count", "given"), [(1, [1]), (2, [1]), (3, [2]), (4, [2])])
def test_a_table_is_left_for_an_actor_that_is_starting(count: int, given: list[int]) -> None:
    workers, waiting = [_Worker(Actor(), None), _Worker(Actor(), object())], deque(range(count))
    _assign(workers, tables(), waiting)
    assert [len(worker.calls) for worker in workers] == [*given, 0]
    assert list(waiting) == list(range(given[0], count))


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
