"""What the driver does with its workers' events: progress on screen, `train.log`, MLflow and the caller's callback."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from pipelines.display import format_size, shown
from pipelines.progress import Progress, Stage
from training import tasks
from training.distributed.messages import (
    EpochFinished,
    Position,
    PositionReached,
    StepsLogged,
    TrainingBegan,
    TrainingEnded,
    WarningRaised,
    WorkerEvent,
    WorkerStarted,
)
from training.engine.state import Record
from training.observability.mlflow import Tracker
from training.observability.runlog import StepLine

LOG = "train.log"
OnEpoch = Callable[[Record], None]


class RunLogger:
    """Notes and warnings of a run: shown, and written to a file with the time.

    Args:
        path: the file.
        progress: shows them.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path, self._progress, self._is_lost = path, progress, False

    def note(self, text: str) -> None:
        """Show and write a fact worth knowing."""
        self.write(text)
        self._progress.note(text)

    def warn(self, text: str) -> None:
        """Show and write a fact worth acting on."""
        self.write(f"warning: {text}")
        self._progress.warn(text)

    def write(self, text: str) -> None:
        """Write a line without showing it. A log that cannot be written costs one warning, not the training."""
        if self._is_lost:
            return
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {shown(text)}\n")
        except OSError as error:
            self._is_lost = True
            self._progress.warn(
                f"{self._path}: cannot be written ({error.strerror or error}); nothing more is written to it"
            )


class EpochReports:
    """Hands the record of each epoch on once, in order, however often workers are started again.

    Args:
        tracker: gets the records for MLflow.
        on_epoch: called with each record; None: only the tracker gets them.
    """

    def __init__(self, tracker: Tracker, on_epoch: OnEpoch | None = None) -> None:
        self._tracker, self._on_epoch = tracker, on_epoch
        self._reported = 0

    def report(self, records: Iterable[Record]) -> None:
        """Hand on the records of epochs that have not been handed on before.

        Args:
            records: in the order of their epochs.
        """
        new = [record for record in records if record["epoch"] > self._reported]
        self._tracker.epochs(new)
        for record in new:
            self._reported = record["epoch"]
            if self._on_epoch is not None:
                self._on_epoch(record)


class ProgressReporter:
    """Shows the events of a run's workers.

    Args:
        steps: optimizer steps of an epoch.
        epochs_planned: the epochs of the run, unless it ends early.
        logger: gets what is worth a note or a warning.
        stage: advanced by steps.
        epochs: gets the records of finished epochs.

    Attributes:
        saved_position: up to where everything is on disk, as workers that returned have reported; None before.
    """

    def __init__(self, steps: int, epochs_planned: int, logger: RunLogger, stage: Stage, epochs: EpochReports) -> None:
        self._steps = steps
        self._last_epoch = epochs_planned
        self._logger = logger
        self._stage = stage
        self._epochs = epochs
        self.saved_position: Position | None = None
        self._position = Position(0, 0)
        self._steps_shown = 0
        self._workers: int | None = None
        self._warnings: set[str] = set()
        self._record: Record = {}
        self._line: StepLine | None = None

    def __call__(self, event: WorkerEvent) -> None:
        """Handle one event."""
        match event:
            case WorkerStarted(rank, workers, pid, host, device):
                self._logger.write(f"worker {rank} of {workers}: process {pid} on {host}, {device}")
            case WarningRaised(text):
                if text not in self._warnings:
                    self._warnings.add(text)
                    self._logger.warn(text)
            case TrainingBegan():
                self._training_began(event)
            case PositionReached(position):
                self._show(position)
            case StepsLogged(line):
                self._line = line
                self._show(Position(line.epoch - 1, line.step))
            case EpochFinished(record):
                self._record = record
                self._show(Position(record["epoch"], 0))
                self._epochs.report([record])
            case TrainingEnded(position):
                self.saved_position = position
                # An epoch at its start has not begun: with `training.patience` it never will.
                self._show(position, begun=max(1, position.epoch + (position.step > 0)))

    def _training_began(self, event: TrainingBegan) -> None:
        position = event.position
        group = f"{event.workers} worker{'s' if event.workers > 1 else ''}"
        checkpoint = f"the checkpoint at epoch {position.epoch + 1}, step {position.step} of {self._steps}"
        if self._workers is not None:
            lost = max(0, self._count(self._position) - self._count(position))
            why = "more workers joined" if event.workers > self._workers else "a worker was lost"
            self._logger.warn(f"{why}; resuming from {checkpoint} with {group}: {lost} steps are repeated")
        elif position != Position(0, 0):
            self._logger.note(f"resuming from {checkpoint} with {group}")
        self._workers, self._position, self.saved_position = event.workers, position, None
        self._record = event.records[-1] if event.records else {}
        self._show(position)
        self._epochs.report(event.records)

    def _show(self, position: Position, begun: int | None = None) -> None:
        """Show a position, with the epoch that it is in or, where given, the number of those begun."""
        self._position = max(self._position, position)
        done = self._count(self._position)
        epoch = begun or min(self._position.epoch + 1, self._last_epoch)
        self._stage.describe(_summary(epoch, self._record, self._line))
        # Repeated steps do not move the bar back.
        self._stage.advance(max(0, done - self._steps_shown))
        self._steps_shown = max(self._steps_shown, done)

    def _count(self, position: Position) -> int:
        return position.epoch * self._steps + position.step


def _summary(epoch: int, record: Record, line: StepLine | None) -> str:
    """One line: the epoch, the last figures of its steps and of the last validation."""
    parts = [f"epoch {epoch}"]
    if line:
        parts.append(f"loss {line.loss:.3f}")
    if record:
        criterion = tasks.criterion_of(record)
        parts.append(f"validation {criterion.title} {record[criterion.figure]:.3f}")
    if line:
        parts.append(f"{line.tokens_per_second / 1e3:,.0f}k tokens/s")
        parts.append(f"padding {line.padding_share:.1%}")
        parts.append(f"waiting {line.wait_share:.1%}")
        parts.append(format_size(line.peak_memory_bytes))
    return "  ".join(parts)
