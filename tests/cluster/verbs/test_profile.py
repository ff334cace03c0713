from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main
from tests.training.conftest import write_dataset


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text("model: {embedding: 8, hidden: 8, stem: 8}\ntraining: {global_batch_size: 16, device: cpu}\n")
    return path


def test_it_prints_where_the_time_goes_and_writes_figures_and_trace(
    tmp_path: Path, experiment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    dataset = write_dataset(tmp_path / "data")
    arguments = [
        "--dataset",
        str(dataset),
        "--output",
        str(tmp_path / "out"),
        "--steps",
        "8",
        "--json",
        str(tmp_path / "f.json"),
    ]
    assert main(["profile", str(experiment), *arguments, "--cluster.cpus", "1"]) == 0
    text = capsys.readouterr().out
    for word in ("backward", "waiting for batches", "bottleneck: ", "aten::", "8 steps after the first 5"):
        assert word in text
    assert str(tmp_path / "out" / "trace-worker-0.json.gz") in text.replace("\n", "")
    assert json.loads((tmp_path / "f.json").read_text())["steps"] == 8


def test_no_steps_are_a_usage_error(tmp_path: Path, experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--dataset", str(tmp_path / "data"), "--output", str(tmp_path / "out"), "--steps", "0"]
    assert main(["profile", str(experiment), *arguments]) == 2
    assert "--steps 0" in capsys.readouterr().err
