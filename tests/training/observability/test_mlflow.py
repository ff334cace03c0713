"""MLflow: its client in this process, and a real server next to it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import DependencyError
from pipelines.progress import Silent
from training.config import ModelConfig, TrainingConfig
from training.distributed.train import train
from training.observability.mlflow import KEY, OUTPUT, Tracker, flatten, tracked

RECORDS = [{"epoch": epoch, "loss": 1 / epoch, "validation_auroc": 0.9, "note": "text"} for epoch in (1, 2, 3)]
UNREACHABLE = "http://somebody:secret@127.0.0.1:1"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tracking server with a database and artifacts."""
    program = os.environ.get("RAYGENE_MLFLOW") or ""
    if not shutil.which(program):
        pytest.skip("RAYGENE_MLFLOW is not set: it names the mlflow program of an environment with all of MLflow")
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "artifacts")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


def runs(address: str, experiment: str) -> list[Any]:
    mlflow = pytest.importorskip("mlflow")
    client = mlflow.tracking.MlflowClient(tracking_uri=address)
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


def history(address: str, run: Any, name: str) -> list[tuple[int, float]]:
    mlflow = pytest.importorskip("mlflow")
    client = mlflow.tracking.MlflowClient(tracking_uri=address)
    return [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]


def start_tracker(address: str, experiment: str, warnings: list[str]) -> Tracker:
    tracker = Tracker(address, warnings.append)
    tracker.begin(experiment, "run", "key", "/out", {"training": {"epochs": 3}, "sources": [{"genome": "toy"}]})
    return tracker


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tracking store without a server."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


def track_interrupted(tracker: Tracker) -> None:
    with tracked(tracker):
        tracker.epochs(RECORDS[:1])
        tracker.epochs(RECORDS[:2])
        raise KeyboardInterrupt


def test_nothing_is_tracked_without_an_address() -> None:
    warnings: list[str] = []
    tracker = Tracker(None, warnings.append)
    tracker.begin("raygene", "run", "key", "/out", {})
    tracker.epochs(RECORDS)
    tracker.end("FINISHED")
    assert warnings == []


def test_a_configuration_is_sent_key_by_key_without_secrets() -> None:
    values = {
        "model": {"kind": "lstm"},
        "split": {"test": ["IV", "XV"]},
        "training": {"mlflow": UNREACHABLE, "epochs": 2},
    }
    parameters = flatten(values)
    assert parameters == {"model.kind": "lstm", "split.test.0": "IV", "split.test.1": "XV", "training.epochs": "2"}
    assert len(flatten({"a": "x" * 10_000})["a"]) == 500


def test_credentials_in_parameters_are_masked() -> None:
    assert flatten({"model": {"embedding_file": "s3://KEY:secret@bucket/x"}}) == {
        "model.embedding_file": "s3://***@bucket/x"
    }


def test_a_server_that_cannot_be_reached_is_one_warning_and_training_continues() -> None:
    pytest.importorskip("mlflow")
    warnings: list[str] = []
    tracker = start_tracker(UNREACHABLE, "raygene", warnings)
    tracker.epochs(RECORDS)
    tracker.end("FINISHED")
    (warning,) = warnings
    assert warning.startswith("training.mlflow http://***@127.0.0.1:1: not reached (")
    assert "secret" not in warning
    assert "\n" not in warning


def test_an_address_without_mlflow_is_an_error_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"pip install 'raygene\[mlflow\]'"):
        Tracker("http://127.0.0.1:1", [].append)


def test_a_store_that_mlflow_refuses_is_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "false")
    warnings: list[str] = []
    start_tracker((tmp_path / "mlruns").as_uri(), "raygene", warnings).epochs(RECORDS)
    (warning,) = warnings
    assert "not reached" in warning


@pytest.mark.parametrize("other_output", ["/b", "/o'clock"])
def test_the_same_configuration_elsewhere_is_a_run_of_its_own(folder: str, other_output: str) -> None:
    warnings: list[str] = []
    for output in ("/a", other_output, "/a", other_output):
        tracker = Tracker(folder, warnings.append)
        tracker.begin("apart", "run", "key", output, {})
        tracker.epochs(RECORDS[:1])
    assert sorted(run.data.tags[OUTPUT] for run in runs(folder, "apart")) == ["/a", other_output]
    assert warnings == []


@pytest.mark.full
def test_a_resumed_run_is_found_again_and_has_each_epoch_once(server: str, tmp_path: Path) -> None:
    warnings: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        track_interrupted(start_tracker(server, "again", warnings))
    (run,) = runs(server, "again")
    assert run.info.status == "KILLED"
    (tmp_path / "config.json").write_text("{}")
    for _ in range(2):
        tracker = start_tracker(server, "again", warnings)
        tracker.epochs(RECORDS)
        tracker.end("FINISHED", tmp_path)
    (run,) = runs(server, "again")
    assert (run.info.status, run.data.tags[KEY]) == ("FINISHED", "key")
    assert run.data.params == {"training.epochs": "3", "sources.0.genome": "toy"}
    assert history(server, run, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert warnings == []


@pytest.mark.full
@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_training_sends_parameters_every_epoch_and_the_bundle(server: str, dataset: Path, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    model = ModelConfig(embedding=8, hidden=8, stem=8)
    training = TrainingConfig(epochs=2, global_batch_size=16, mlflow=server, mlflow_experiment="trained")
    progress = Silent()
    resolved = {"training": training.model_dump(mode="json")}
    for _ in range(2):
        bundle = train(model, training, dataset, tmp_path / "run", progress, resolved)
    (run,) = runs(server, "trained")
    assert (run.info.status, run.info.run_name) == ("FINISHED", "run")
    assert run.data.params["training.epochs"] == "2"
    assert "training.mlflow" not in run.data.params
    expected = [(record["epoch"], record["validation_auroc"]) for record in bundle.config["records"]]
    assert history(server, run, "validation_auroc") == expected
    client = mlflow.tracking.MlflowClient(tracking_uri=server)
    files = {file.path for file in client.list_artifacts(run.info.run_id, "bundle")}
    assert {"bundle/config.json", "bundle/model.safetensors", "bundle/tokenizer.json"} <= files
    assert progress.warnings == []
