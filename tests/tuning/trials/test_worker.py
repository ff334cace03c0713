from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.errors import ResourceError, StorageError, TrainingError
from pipelines.stores import worker_folder
from training.config import ModelConfig, TrainingConfig
from training.engine.checkpoints import Checkpoints
from training.engine.state import CPU
from training.observability import journal
from tuning.trials.reports import EpochReport, NotStarted, Report, StudyFailed, TimedOut, TrialFailed, TrialReport
from tuning.trials.store import EPOCHS, ERROR
from tuning.trials.trial_spec import TrialSpec
from tuning.trials.worker import Train, TrialObserver, TrialTimeLimitError, epoch_report, run_and_report_errors


def spec(folder: Path, deadline: float | None = None) -> TrialSpec:
    return TrialSpec(ModelConfig(), TrainingConfig(), folder, "f" * 64, folder, 8, True, 1, 0, deadline)


def reports_of(train: Train, folder: Path, deadline: float | None = None) -> list[TrialReport]:
    reports: list[TrialReport] = []
    run_and_report_errors(train, spec(folder, deadline), reports.append)
    return reports


def raising(error: Exception) -> Train:
    def train(spec: TrialSpec, report: Report) -> None:
        raise error

    return train


def test_an_error_that_every_trial_would_meet_fails_the_study(tmp_path: Path) -> None:
    error = StorageError("the disk is full", "free space")
    assert reports_of(raising(error), tmp_path) == [StudyFailed("the disk is full", "free space")]


def test_an_error_of_one_trial_fails_that_trial(tmp_path: Path) -> None:
    error = TrainingError("the loss is not a number", "")
    assert reports_of(raising(error), tmp_path) == [TrialFailed("the loss is not a number")]
    (report,) = reports_of(raising(MemoryError()), tmp_path)
    assert isinstance(report, TrialFailed)
    assert "no memory left" in report.reason
    # As a worker of Ray Train raises it.
    error = ResourceError("no memory left for a batch")
    assert reports_of(raising(error), tmp_path) == [TrialFailed("no memory left for a batch")]


def test_an_error_that_may_pass_is_left_to_ray_and_its_last_line_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="stale"):
        reports_of(raising(OSError("stale file handle")), tmp_path)
    assert "stale file handle" in (tmp_path / ERROR).read_text()


@pytest.mark.ray
def test_an_epoch_of_another_node_is_in_the_study_before_it_is_reported(tmp_path: Path, ray_session: Any) -> None:
    epochs: list[list[Any]] = []

    def train(spec: TrialSpec, report: Report) -> None:
        assert spec.folder != tmp_path
        assert journal.read(spec.folder / EPOCHS) == [{"epoch": 1}]
        journal.append(spec.folder / EPOCHS, [{"epoch": 2}])
        report(EpochReport(2, 0.5, 0.1))
        raise OSError("stale file handle")

    journal.write(tmp_path / EPOCHS, [{"epoch": 1}])
    (tmp_path / ERROR).touch()
    with worker_folder.served(tmp_path):
        elsewhere = replace(spec(tmp_path), served=replace(worker_folder.of(tmp_path), node="another"))
        with pytest.raises(OSError, match="stale"):
            run_and_report_errors(train, elsewhere, lambda report: epochs.append(journal.read(tmp_path / EPOCHS)))
    assert epochs == [[{"epoch": 1}, {"epoch": 2}]]
    assert "stale file handle" in (tmp_path / ERROR).read_text()


def test_no_trial_starts_after_its_deadline(tmp_path: Path) -> None:
    assert reports_of(raising(AssertionError()), tmp_path, deadline=time.time() - 1) == [NotStarted()]
    epoch = EpochReport(1, 0.5, 0.1)
    assert reports_of(lambda spec, report: report(epoch), tmp_path, deadline=time.time() + 60) == [epoch]


def test_an_epoch_is_reported_with_the_metrics_of_the_best_one_so_far() -> None:
    records = [
        {"epoch": epoch, "validation_auroc": auroc, "validation_mcc": auroc / 2}
        for epoch, auroc in enumerate((0.7, 0.8, 0.6, 0.9), start=1)
    ]
    assert epoch_report(records, 3) == EpochReport(3, 0.8, 0.4)
    assert epoch_report(records, 4, is_last=True) == EpochReport(4, 0.9, 0.45, is_last=True)


def observer(folder: Path, limit: float, began: float) -> Any:
    limited: Any = replace(spec(folder), time_limit=limit)
    unused: Any = None
    return TrialObserver(limited, Checkpoints(folder / "checkpoints"), CPU, unused, unused, lambda report: None, began)


def test_a_trial_ends_within_an_epoch_when_its_time_is_over(tmp_path: Path) -> None:
    state = SimpleNamespace(epoch=2, step=7)
    observer(tmp_path, 60, time.monotonic()).checkpoint_due(state)
    with pytest.raises(TrialTimeLimitError) as ended:
        observer(tmp_path, 60, time.monotonic() - 61).checkpoint_due(state)
    assert ended.value.epoch == 2


def test_the_time_of_earlier_processes_of_a_trial_counts(tmp_path: Path) -> None:
    record = {"epoch": 1, "validation_auroc": 0.5, "validation_mcc": 0.0, "trial_seconds": 50.0}
    journal.write(tmp_path / EPOCHS, [record])
    resumed = observer(tmp_path, 60, time.monotonic() - 20)
    resumed.begin(SimpleNamespace(epoch=1, step=0, out_of_patience=lambda patience: False))
    with pytest.raises(TrialTimeLimitError):
        resumed.checkpoint_due(SimpleNamespace(epoch=1, step=1))


def test_a_trial_that_took_too_long_says_how_far_it_came(tmp_path: Path) -> None:
    reports: list[TrialReport] = []
    run_and_report_errors(raising(TrialTimeLimitError(3)), replace(spec(tmp_path), time_limit=60.0), reports.append)
    assert reports == [TimedOut(3, 60.0)]
