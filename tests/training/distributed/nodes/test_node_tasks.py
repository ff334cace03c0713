from __future__ import annotations

import os
import time
from typing import Any

import pytest

from pipelines.ray_map.nodes import living_records
from training.distributed.nodes import node_tasks

pytestmark = pytest.mark.ray


def add(first: int, second: int) -> tuple[int, int]:
    """The sum, and the process it was computed in."""
    return first + second, os.getpid()


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def test_a_function_runs_in_another_process_with_its_arguments(ray_session: Any) -> None:
    import ray

    (node,) = living_records()
    result, process = ray.get(node_tasks.start(add, node, 2, 3), timeout=60)
    assert result == 5
    assert process != os.getpid()


def test_tasks_run_though_every_cpu_is_reserved(ray_session: Any) -> None:
    import ray

    (node,) = living_records()
    cpus = int(node["Resources"]["CPU"])
    holding = ray.remote(num_cpus=cpus)(sleep).remote(30)
    try:
        assert ray.get(node_tasks.start(add, node, 1, 1), timeout=25)[0] == 2
    finally:
        ray.cancel(holding, force=True)


def test_waiting_ends_in_time_and_returns_what_has_ended(ray_session: Any) -> None:
    import ray

    (node,) = living_records()
    quick, slow = node_tasks.start(add, node, 1, 1), node_tasks.start(sleep, node, 60)
    ray.wait([quick], timeout=60)
    assert node_tasks.wait([quick, slow], seconds=0.5) == [quick]
    assert node_tasks.wait([], seconds=0.5) == []
    ray.cancel(slow, force=True)


def test_a_task_for_a_node_that_is_gone_fails_rather_than_run_elsewhere(ray_session: Any) -> None:
    import ray
    from ray.exceptions import RayError

    (node,) = living_records()
    with pytest.raises(RayError):
        ray.get(node_tasks.start(add, node | {"NodeID": "1" * len(node["NodeID"])}, 1, 1), timeout=60)


def test_gpus_are_counted_as_ray_lists_them() -> None:
    assert node_tasks.gpus({"Resources": {"CPU": 4.0, "GPU": 2.0}}) == 2
    assert node_tasks.gpus({"Resources": {"CPU": 4.0}}) == 0


@pytest.mark.parametrize(("gpus", "calls"), [(1, 1), (0.5, 1), (0, 0)])
def test_a_process_that_touched_a_gpu_ends_after_one_call(gpus: float, calls: int) -> None:
    task = node_tasks.remote(add, gpus)
    assert task._default_options["max_calls"] == calls
    assert task._default_options["num_gpus"] == gpus
