from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import ray
import torch

from cluster.doctor import clock, nodes, trial
from cluster.doctor.facts import Request
from tests.conftest import start_ray


@pytest.fixture
def apart() -> Iterator[None]:
    """No Ray while a test has one of its own, and after it the one that others share."""
    shared = ray.is_initialized()
    ray.shutdown()
    yield
    ray.shutdown()
    if shared:
        start_ray()


WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@WITHOUT_GPU
def test_a_gpu_that_does_not_compute_is_told_with_its_mend() -> None:
    assert trial.here(0) == ()
    ((problem, mend),) = trial.here(1)
    assert problem.startswith("cuda:0 does not compute")
    assert "install a torch that is built for this GPU" in mend


@WITHOUT_GPU
@pytest.mark.ray
@pytest.mark.full
@pytest.mark.usefixtures("apart")
def test_every_gpu_that_nobody_uses_is_tried_and_the_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "ANSWER_S", 15.0)
    monkeypatch.setattr(nodes, "_reaches", lambda facts: True)
    ray.init(num_cpus=1, num_gpus=2, include_dashboard=False, log_to_driver=False)
    try:

        @ray.remote(num_cpus=0, num_gpus=1)
        class Busy:
            def ready(self) -> bool:
                return True

        busy = Busy.remote()
        assert ray.get(busy.ready.remote())
        (seen,), lines = nodes.look(Request())
    finally:
        ray.shutdown()
    assert lines == []
    assert (len(seen.failed), seen.untried) == (1, 1)
    assert "no GPU" in seen.failed[0][0]
    assert seen.skew is not None
    assert seen.bound is not None
    assert seen.skew <= seen.bound < 60


@WITHOUT_GPU
@pytest.mark.ray
@pytest.mark.full
@pytest.mark.usefixtures("apart")
def test_a_slow_clock_and_a_slow_gpu_cost_a_node_none_of_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    def late() -> float:
        time.sleep(600)
        return time.time()

    def hanging() -> Iterator[str]:
        yield str(ray.get_gpu_ids()[0])
        time.sleep(600)

    monkeypatch.setattr(trial, "ANSWER_S", 10.0)
    monkeypatch.setattr(nodes, "CLOCK_S", 1.0)
    monkeypatch.setattr(nodes, "_reaches", lambda facts: True)
    monkeypatch.setattr(clock, "now", late)
    monkeypatch.setattr(trial, "reserved", hanging)
    ray.init(num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        (seen,), lines = nodes.look(Request())
    finally:
        ray.shutdown()
    assert lines == []
    assert seen.facts.python
    assert (seen.skew, seen.bound) == (None, None)
    assert (seen.failed, seen.untried, seen.silent) == ((), 0, 1)
