from __future__ import annotations

import pytest

from cluster import in_process
from cluster.experiment import ClusterConfig
from training.hardware.gpus import Hardware

SMALL, LARGE = in_process.SMALL_GENOME, in_process.SMALL_GENOME + 1
NO_GPU, GPU = Hardware(), Hardware(nvidia=1)


@pytest.mark.parametrize(
    ("config", "workers", "device", "bases", "gpus", "alone"),
    [
        ({}, None, "auto", SMALL, NO_GPU, True),
        ({}, None, "auto", LARGE, NO_GPU, False),
        ({}, 1, "auto", LARGE, NO_GPU, True),
        ({}, 2, "auto", SMALL, NO_GPU, False),
        ({"cpus": 1}, None, "cpu", LARGE, NO_GPU, True),
        ({}, 1, "auto", SMALL, GPU, False),
        ({}, 1, "cpu", SMALL, GPU, True),
        ({}, 1, "cuda", SMALL, NO_GPU, False),
        ({"address": "auto"}, 1, "cpu", SMALL, NO_GPU, False),
    ],
)
def test_one_worker_on_a_cpu_or_a_small_genome_needs_no_ray(
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, object],
    workers: int | None,
    device: str,
    bases: int,
    gpus: Hardware,
    alone: bool,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(in_process.nodes, "is_connected", lambda: False)
    monkeypatch.setattr(in_process, "hardware", lambda: gpus)
    monkeypatch.setattr(in_process, "usable_cpus", lambda: 2)
    assert in_process.suffices_to_score(ClusterConfig(**config), workers, device, bases) is alone  # type: ignore[arg-type]


def test_a_cluster_named_by_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert not in_process.suffices_to_score(ClusterConfig(), 1, "cpu", 1)
