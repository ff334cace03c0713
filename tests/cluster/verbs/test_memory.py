from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.cli import main
from tests.training.conftest import write_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("memory") / "data")


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text("model: {embedding: 8, hidden: 8, stem: 8}\ntraining: {global_batch_size: 16, device: cpu}\n")
    return path


def test_it_shows_parts_probe_and_budget_and_writes_them(
    dataset: Path, experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "memory.json"
    assert main(["memory", str(experiment), "--dataset", str(dataset), "--json", str(target)]) == 0
    text = capsys.readouterr().out
    for word in ("activations", "optimizer", "longest sequence: ", "measured: ", "token budget: "):
        assert word in text
    figures = json.loads(target.read_text())
    assert figures["sequences"] == 16
    assert figures["probed_longest"] == pytest.approx(figures["predicted_longest"], rel=0.1)


def test_a_named_device_needs_no_device(
    dataset: Path, experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "memory.json"
    arguments = ["--dataset", str(dataset), "--device-memory", "24GiB", "--json", str(target)]
    assert main(["memory", str(experiment), *arguments]) == 0
    figures = json.loads(target.read_text())
    assert figures["device_kind"] == "cuda"
    assert figures["device_memory"] == 24 * 2**30
    assert figures["probed_longest"] is None


def test_what_does_not_fit_fails_with_a_fix(
    dataset: Path, experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--dataset", str(dataset), "--device-memory", "136MiB", "--model.hidden", "1024"]
    assert main(["memory", str(experiment), *arguments]) == 1
    assert "set model.hidden to" in capsys.readouterr().err


def test_a_size_without_sense_is_a_usage_error(
    dataset: Path, experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--dataset", str(dataset), "--device-memory", "plenty"]
    assert main(["memory", str(experiment), *arguments]) == 2
    assert "24GiB" in capsys.readouterr().err
