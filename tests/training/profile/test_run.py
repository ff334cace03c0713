from __future__ import annotations

import gzip
import json
import queue
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipelines import storage
from pipelines.errors import DatasetError, ResourceError, TrainingError
from pipelines.progress import Silent
from pipelines.stores import worker_folder
from tests.training.conftest import write_dataset
from training.config import ModelConfig, TrainingConfig
from training.distributed.messages import EventQueue, WorkerFailed, decoded
from training.engine.collective import Alone
from training.profile.profiler import Plan
from training.profile.run import PHASE_HEADER, ProfileSpec, profile, profile_worker, run_worker

MODEL = ModelConfig(embedding=8, hidden=8, stem=8)
PLAN = Plan(settle=2, timed=12, warmup=1, active=2)


def spec(dataset: Path, output: Path) -> ProfileSpec:
    return ProfileSpec(
        model=MODEL,
        training=TrainingConfig(global_batch_size=16),
        dataset=dataset,
        fingerprint=None,
        output=worker_folder.of(output),
        plan=PLAN,
        threads=1,
        allowance=1 << 30,
    )


def test_one_worker_is_profiled_in_this_process(dataset: Path, tmp_path: Path) -> None:
    training = TrainingConfig(global_batch_size=16, epochs=1, token_budget=1024)
    measured_profile = profile(MODEL, training, dataset, tmp_path / "out", PLAN, Silent(), None, 1)
    document = json.loads(json.dumps(measured_profile.to_json()))
    assert (document["device"], document["workers"], document["steps"]) == ("cpu", 1, 12)
    assert sum(document["shares"].values()) == pytest.approx(1)
    assert document["tokens_per_second"] > 0
    assert 0 <= document["padding"] < 0.5
    assert any(operator["name"].startswith("aten::") for operator in document["operators"])
    assert document["peak_memory_bytes"] > 1 << 20
    with gzip.open(document["traces"][0], "rt") as stream:
        assert json.load(stream)["traceEvents"]
    assert [row[0] for row in measured_profile.phase_rows()] == list(document["shares"])
    assert all(len(row) == len(PHASE_HEADER) for row in measured_profile.phase_rows())
    text = "\n".join(measured_profile.sentences())
    assert f"bottleneck: {document['bottleneck']}: " in text
    assert "12 steps after the first 2" in text


def test_steps_are_taken_from_as_many_epochs_as_they_need(dataset: Path, tmp_path: Path) -> None:
    training = TrainingConfig(global_batch_size=80, epochs=1, patience=1)
    assert profile(MODEL, training, dataset, tmp_path, PLAN, Silent(), None, 1).measured[0].steps == 12


@pytest.mark.full
@pytest.mark.ray
def test_several_workers_are_profiled_on_ray(
    ray_session: Callable[[], AbstractContextManager[None]], dataset: Path, tmp_path: Path
) -> None:
    training = TrainingConfig(global_batch_size=16, workers=2)
    measured_profile = profile(MODEL, training, dataset, tmp_path, PLAN, Silent(), ray_session, 1)
    document = measured_profile.to_json()
    assert document["workers"] == 2
    assert len(document["reduce_share_by_worker"]) == 2
    assert document["shares"]["reduce"] > 0
    assert [Path(trace).name for trace in document["traces"]] == [f"trace-worker-{rank}.json.gz" for rank in range(2)]
    assert all(Path(trace).exists() for trace in document["traces"])
    assert any("slowest worker" in sentence for sentence in measured_profile.sentences())


def test_a_dataset_of_one_class_is_refused(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "one", classes=1)
    with pytest.raises(DatasetError, match="one class only"):
        profile(MODEL, TrainingConfig(), folder, tmp_path / "out", PLAN, Silent(), None, 1)


def test_a_directory_that_another_profile_writes_is_refused(dataset: Path, tmp_path: Path) -> None:
    with (
        storage.only_writer(tmp_path / "out"),
        pytest.raises(ResourceError, match="another process is writing it"),
    ):
        profile(MODEL, TrainingConfig(global_batch_size=16), dataset, tmp_path / "out", PLAN, Silent(), None, 1)


def test_what_an_earlier_profile_left_is_removed(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / ".ray-0").mkdir()
    (tmp_path / "trace-worker-3.json.gz").touch()
    (tmp_path / "notes").touch()
    profile(MODEL, TrainingConfig(global_batch_size=16), dataset, tmp_path, PLAN, Silent(), None, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "trace-worker-0.json.gz"]


def test_a_worker_reports_why_it_holds_a_copy_of_its_own(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(dataset / "manifest.json"))
    warnings = profile_worker(spec(dataset, tmp_path), torch.device("cpu"), Alone()).warnings
    assert [warning.rpartition(" ")[2] for warning in warnings] == ["train", "validation"]


def test_a_worker_explains_a_defect_to_the_driver(dataset: Path, tmp_path: Path) -> None:
    received: queue.Queue[bytes] = queue.Queue()
    with pytest.raises(AttributeError):
        run_worker(replace(spec(dataset, tmp_path), training=None), EventQueue(received))  # type: ignore[arg-type]
    event = decoded(received.get_nowait())
    assert isinstance(event, WorkerFailed)
    assert isinstance(event.error, TrainingError)
