from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipelines.errors import ResourceError, StorageError, TrainingError
from training.config import ModelConfig, TrainingConfig
from tuning.trials.reports import EpochReport, NotStarted, Report, StudyFailed, TrialFailed, TrialReport
from tuning.trials.store import ERROR
from tuning.trials.trial_spec import TrialSpec
from tuning.trials.worker import Train, epoch_report, run_and_report_errors


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
