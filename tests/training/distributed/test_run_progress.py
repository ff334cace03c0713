from __future__ import annotations

from pathlib import Path

from pipelines.progress import Silent
from training.distributed.messages import (
    EpochFinished,
    Position,
    PositionReached,
    StepsLogged,
    TrainingBegan,
    TrainingEnded,
    WarningRaised,
    WorkerStarted,
)
from training.distributed.run_progress import EpochReports, ProgressReporter, RunLogger
from training.engine.state import Record
from training.observability.mlflow import Tracker
from training.observability.runlog import StepLine

LINE = StepLine(
    epoch=1,
    step=40,
    loss=0.25,
    gradient_norm=1.0,
    learning_rate=1e-3,
    tokens_per_second=412_300,
    padding_share=0.013,
    wait_share=0.002,
    peak_memory_bytes=2**29,
)


def record(epoch: int, auroc: float = 0.9) -> Record:
    return {"epoch": epoch, "validation_auroc": auroc}


class Stage:
    """Records what is shown."""

    def __init__(self) -> None:
        self.done, self.text = 0.0, ""

    def advance(self, amount: float = 1) -> None:
        self.done += amount

    def describe(self, text: str) -> None:
        self.text = text


class ReportedRun:
    """A reporter of a run of three epochs of 100 steps, and what it writes to."""

    def __init__(self, folder: Path) -> None:
        self.stage, self.progress, self.log = Stage(), Silent(), folder / "train.log"
        self.records: list[Record] = []
        epochs = EpochReports(Tracker(None, self.progress.warn), self.records.append)
        self.report = ProgressReporter(100, 3, RunLogger(self.log, self.progress), self.stage, epochs)


def test_progress_shows_loss_speed_padding_waiting_and_memory(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(0, 0), (), workers=2))
    run.report(StepsLogged(LINE))
    assert run.stage.done == 40
    assert run.stage.text == "epoch 1  loss 0.250  412k tokens/s  padding 1.3%  waiting 0.2%  512 MiB"
    run.report(EpochFinished(record(1, 0.91)))
    assert run.stage.done == 100
    assert "epoch 2  loss 0.250  validation AUROC 0.910" in run.stage.text
    assert run.progress.notes == run.progress.warnings == []


def test_the_last_epoch_is_named_at_the_end(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(0, 0), (), workers=1))
    run.report(EpochFinished(record(2)))
    assert run.stage.text.startswith("epoch 3  ")
    run.report(EpochFinished(record(3)))
    assert run.stage.text.startswith("epoch 3  ")
    run.report(TrainingEnded(Position(3, 0)))
    assert run.stage.text.startswith("epoch 3  ")


def test_of_a_run_that_patience_ended_the_last_epoch_that_began_is_named(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(0, 0), (), workers=1))
    run.report(EpochFinished(record(2)))
    run.report(TrainingEnded(Position(2, 0)))
    assert run.stage.text.startswith("epoch 2  ")


def test_a_resumed_run_names_its_checkpoint(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(2, 50), (record(1), record(2)), workers=1))
    assert run.progress.notes == ["resuming from the checkpoint at epoch 3, step 50 of 100 with 1 worker"]
    assert run.stage.done == 250


def test_the_loss_of_a_worker_is_a_warning_with_the_number_of_repeated_steps(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(0, 0), (), workers=2))
    run.report(PositionReached(Position(1, 30)))
    run.report(TrainingBegan(Position(1, 0), (record(1),), workers=1))
    (warning,) = run.progress.warnings
    assert warning == (
        "a worker was lost; resuming from the checkpoint at epoch 2, step 0 of 100 with 1 worker: 30 steps are repeated"
    )
    assert warning in run.log.read_text()
    run.report(PositionReached(Position(1, 20)))
    assert run.stage.done == 130


def test_more_workers_than_before_are_not_reported_as_a_loss(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(0, 0), (), workers=1))
    run.report(TrainingBegan(Position(0, 10), (), workers=2))
    (warning,) = run.progress.warnings
    assert warning.startswith(
        "more workers joined; resuming from the checkpoint at epoch 1, step 10 of 100 with 2 workers"
    )


def test_the_log_names_the_machines_of_the_workers(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(WorkerStarted(rank=0, workers=2, pid=12, host="node7", device="CPU"))
    assert "worker 0 of 2: process 12 on node7, CPU" in run.log.read_text()
    assert not run.progress.notes


def test_a_warning_of_several_workers_is_shown_once(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(WarningRaised("the cache is full"))
    run.report(WarningRaised("the cache is full"))
    assert run.progress.warnings == ["the cache is full"]


def test_the_saved_position_is_that_of_the_workers_that_ended_last(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(0, 0), (), workers=1))
    assert run.report.saved_position is None
    run.report(TrainingEnded(Position(0, 7)))
    assert run.report.saved_position == Position(0, 7)
    run.report(TrainingBegan(Position(0, 7), (), workers=1))
    assert run.report.saved_position is None


def test_each_epoch_is_handed_on_once_though_workers_repeat_it(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(0, 0), (), workers=2))
    run.report(EpochFinished(record(1)))
    run.report(EpochFinished(record(2)))
    # Epoch 2 had no checkpoint yet when a worker died.
    run.report(TrainingBegan(Position(1, 50), (record(1),), workers=1))
    run.report(EpochFinished(record(2)))
    run.report(EpochFinished(record(3)))
    assert run.records == [record(1), record(2), record(3)]


def test_an_epoch_whose_event_was_lost_is_handed_on_when_its_checkpoint_is_resumed(tmp_path: Path) -> None:
    run = ReportedRun(tmp_path)
    run.report(TrainingBegan(Position(0, 0), (), workers=2))
    run.report(EpochFinished(record(1)))
    run.report(TrainingBegan(Position(2, 0), (record(1), record(2)), workers=2))
    assert run.records == [record(1), record(2)]


def test_a_log_that_cannot_be_written_costs_one_warning(tmp_path: Path) -> None:
    progress = Silent()
    logger = RunLogger(tmp_path / "absent" / "train.log", progress)
    logger.note("first")
    logger.note("second")
    assert progress.notes == ["first", "second"]
    (warning,) = progress.warnings
    assert "train.log: cannot be written" in warning
