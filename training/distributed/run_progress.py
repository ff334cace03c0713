"""What the driver does with what its workers tell: progress on screen, and `train.log`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.progress import Progress, Stage
from training.distributed.messages import WorkerEvent
from training.observability.mlflow import Tracker

LOG = "train.log"
Place = tuple[int, int]


class RunLogger:
    """Notes and warnings of a run: shown, and kept in a file with the time.

    Args:
        path: the file.
        progress: shows them.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path, self._progress, self._lost = path, progress, False

    def note(self, text: str) -> None:
        """Tell a fact worth knowing."""
        self.keep(text)
        self._progress.note(text)

    def warn(self, text: str) -> None:
        """Tell a fact worth acting on."""
        self.keep(f"warning: {text}")
        self._progress.warn(text)

    def keep(self, text: str) -> None:
        """Write a fact down without showing it; a log that cannot be written costs one warning, and no training."""
        if self._lost:
            return
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")
        except OSError as error:
            self._lost = True
            self._progress.warn(f"{self._path}: cannot be written ({error.strerror or error}); it ends here")


class ProgressReporter:
    """Hears the workers of a run.

    Args:
        steps: optimizer steps of an epoch.
        diary: told when training begins or goes on.
        stage: advanced by steps.
        tracker: sent the figures of epochs.

    Attributes:
        ended: epochs, and steps of the next, that are finished and kept, as told by workers that returned.
    """

    def __init__(self, steps: int, diary: RunLogger, stage: Stage, tracker: Tracker) -> None:
        self._steps, self._diary, self._stage, self._tracker = steps, diary, stage, tracker
        self._shown = 0
        self._seen: Place = (0, 0)
        self._began, self._workers = False, 0
        self.ended: Place | None = None
        self._warned: set[str] = set()
        self._record: dict[str, Any] = {}
        self._line: dict[str, Any] = {}

    def __call__(self, message: WorkerEvent) -> None:
        """Take one message of `reporter` or `worker`."""
        if "worker" in message:
            self._diary.keep(
                "worker {rank} of {workers}: process {pid} on {host}, {device}".format(**message["worker"])
            )
        if "warning" in message and message["warning"] not in self._warned:
            self._warned.add(message["warning"])
            self._diary.warn(message["warning"])
        if "began" in message:
            self._begin(**message["began"])
        if "record" in message:
            self._record = message["record"]
            self._tracker.epochs([self._record])
        if "line" in message:
            self._line = message["line"]
            self._show((self._line["epoch"] - 1, self._line["step"]))
        if "at" in message:
            self._show(message["at"])
        if "ended" in message:
            self.ended = message["ended"]
            self._show(message["ended"])

    def _begin(self, at: Place, record: list[dict[str, Any]], workers: int) -> None:
        group = f"{workers} worker{'s' if workers > 1 else ''}"
        where = f"epoch {at[0] + 1}, step {at[1]}"
        if self._began:
            lost = max(0, self._count(self._seen) - self._count(at))
            why = "more workers joined" if workers > self._workers else "a worker was lost"
            self._diary.warn(
                f"{why}; going on from the checkpoint at {where} of {self._steps} with {group}: {lost} steps are done again"
            )
        elif at != (0, 0):
            self._diary.note(f"going on from the checkpoint at {where} of {self._steps} with {group}")
        self._began, self._seen, self._workers, self.ended = True, at, workers, None
        self._record = record[-1] if record else {}
        self._show(at)

    def _show(self, at: Place) -> None:
        self._seen = max(self._seen, at)
        done = self._count(self._seen)
        self._stage.describe(_told(self._seen[0] + 1, self._record, self._line))
        self._stage.advance(max(0, done - self._shown))
        self._shown = max(self._shown, done)

    def _count(self, place: Place) -> int:
        return place[0] * self._steps + place[1]


def _told(epoch: int, record: dict[str, Any], line: dict[str, Any]) -> str:
    """Where training stands, in a line."""
    parts = [f"epoch {epoch}"]
    if line:
        parts.append(f"loss {line['loss']:.3f}")
    if record:
        parts.append(f"validation AUROC {record['validation_auroc']:.3f}")
    if line:
        parts.append(f"{line['tokens_per_second'] / 1e3:,.0f}k tokens/s")
        parts.append(f"padding {line['padding_share']:.1%}")
        parts.append(f"waiting {line['wait_share']:.1%}")
        parts.append(f"{line['peak_memory_bytes'] / 2**30:.2f} GiB")
    return "  ".join(parts)
