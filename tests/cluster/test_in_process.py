from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster import in_process
from cluster.cli import main
from cluster.experiment import ClusterConfig
from pipelines.errors import UsageError
from tests.cluster.command_line import experiment
from tests.conftest import GenomeFiles
from training.config import TrainingConfig
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


def test_a_verb_that_needs_ray_refuses_to_do_without(
    tmp_path: Path, genome: GenomeFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    path = experiment(genome, tmp_path)
    assert main(["tune", str(path), "--output", str(tmp_path / "study"), "--cluster.engine", "local"]) == 2
    assert "cluster.engine: local, but raygene tune needs Ray for this" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("workers", "device", "named"), [(2, "auto", "--workers 2"), (None, "cuda", "--device cuda"), (1, "cpu", None)]
)
def test_local_work_is_refused_with_what_needs_ray(workers: int | None, device: str, named: str | None) -> None:
    config = ClusterConfig(engine="local")
    if named is None:
        assert in_process.suffices_to_score(config, workers, device, LARGE)
        return
    with pytest.raises(UsageError, match=named):
        in_process.suffices_to_score(config, workers, device, SMALL)


@pytest.mark.parametrize(
    ("cluster", "training", "alone"),
    [
        ({}, {}, True),
        ({}, {"workers": 2}, False),
        ({}, {"device": "cuda"}, False),
        ({"engine": "ray"}, {}, False),
        ({"engine": "local"}, {"device": "cpu"}, True),
    ],
)
def test_one_worker_on_a_cpu_trains_without_ray(
    monkeypatch: pytest.MonkeyPatch, cluster: dict[str, Any], training: dict[str, Any], alone: bool
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(in_process.nodes, "is_connected", lambda: False)
    monkeypatch.setattr(in_process, "hardware", lambda: NO_GPU)
    assert in_process.suffices_to_train(ClusterConfig(**cluster), TrainingConfig(**training)) is alone


def test_a_small_build_runs_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(in_process.nodes, "is_connected", lambda: False)
    monkeypatch.setattr(in_process, "usable_cpus", lambda: 2)
    most = in_process.SMALL_BUILD_S
    assert in_process.suffices_to_build(ClusterConfig(), most)
    assert not in_process.suffices_to_build(ClusterConfig(), most + 1)
    assert in_process.suffices_to_build(ClusterConfig(cpus=1), most + 1)
    assert not in_process.suffices_to_build(ClusterConfig(engine="ray"), most)
