from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import ray
import torch

from cluster.doctor import clock, gpu_probe, nodes
from cluster.doctor.node_facts import Request
from tests.conftest import start_ray


@pytest.fixture
def without_shared_ray() -> Iterator[None]:
    """Stops the Ray that tests share while a test starts its own, and starts it again afterwards."""
    shared = ray.is_initialized()
    ray.shutdown()
    yield
    ray.shutdown()
    if shared:
        start_ray()


WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@WITHOUT_GPU
def test_a_gpu_that_does_not_compute_is_reported_with_its_fix() -> None:
    assert gpu_probe.try_local_gpus(0) == ()
    (problem,) = gpu_probe.try_local_gpus(1)
    assert problem.message.startswith("cuda:0 does not compute")
    assert "install a torch that is built for this GPU" in problem.fix


@WITHOUT_GPU
@pytest.mark.ray
@pytest.mark.full
@pytest.mark.usefixtures("without_shared_ray")
def test_every_free_gpu_is_tested_and_reserved_ones_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_probe, "TIMEOUT_S", 15.0)
    monkeypatch.setattr(nodes, "_has_usable_gpus", lambda facts: True)
    ray.init(num_cpus=1, num_gpus=2, include_dashboard=False, log_to_driver=False)
    try:

        @ray.remote(num_cpus=0, num_gpus=1)
        class Busy:
            def ready(self) -> bool:
                return True

        busy = Busy.remote()
        assert ray.get(busy.ready.remote())
        (report,), failures = nodes.gather_reports(Request())
    finally:
        ray.shutdown()
    assert failures == []
    assert (len(report.gpu_problems), report.untested_gpus) == (1, 1)
    assert "no GPU" in report.gpu_problems[0].message
    assert report.min_skew is not None
    assert report.max_skew is not None
    assert report.min_skew <= report.max_skew < 60


@WITHOUT_GPU
@pytest.mark.ray
@pytest.mark.full
@pytest.mark.usefixtures("without_shared_ray")
def test_a_slow_clock_and_a_slow_gpu_cost_a_node_none_of_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    def late() -> float:
        time.sleep(600)
        return time.time()

    def hanging() -> Iterator[str]:
        yield str(ray.get_gpu_ids()[0])
        time.sleep(600)

    monkeypatch.setattr(gpu_probe, "TIMEOUT_S", 10.0)
    monkeypatch.setattr(nodes, "CLOCK_TIMEOUT_S", 1.0)
    monkeypatch.setattr(nodes, "_has_usable_gpus", lambda facts: True)
    monkeypatch.setattr(clock, "now", late)
    monkeypatch.setattr(gpu_probe, "try_reserved_gpu", hanging)
    ray.init(num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        (report,), failures = nodes.gather_reports(Request())
    finally:
        ray.shutdown()
    assert failures == []
    assert report.facts.python
    assert (report.min_skew, report.max_skew) == (None, None)
    assert (report.gpu_problems, report.untested_gpus, report.unresponsive_gpus) == ((), 0, 1)
