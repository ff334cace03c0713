"""What a study shows while its trials run: how far each is and how fast, the best result so far, and the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipelines.progress import Stage
from tuning import lines, ranking
from tuning.config import TuningConfig
from tuning.trial import Trial
from tuning.trials.store import TrialStore

INTERVAL_S = 5.0
LOG_INTERVAL_S = 60.0
"""How often a log gets a line, in which a bar cannot move."""
MAX_LISTED = 3
"""Running trials that are described one by one."""


@dataclass(frozen=True)
class RunningTrial:
    """A trial in progress.

    Attributes:
        number: of the trial.
        epoch: epochs done.
        epochs: epochs that it is trained for.
        seconds: since it began in this run.
        epoch_seconds: of its epochs so far, on average; None before the first has ended.
    """

    number: int
    epoch: int
    epochs: int
    seconds: float
    epoch_seconds: float | None

    def describe(self) -> str:
        """Such as `trial 4: epoch 3 of 8, 12 s each`."""
        rate = (
            f"{lines.format_duration(self.epoch_seconds)} each"
            if self.epoch_seconds is not None
            else f"for {lines.format_duration(self.seconds)}"
        )
        return f"trial {self.number}: epoch {min(self.epoch + 1, self.epochs)} of {self.epochs}, {rate}"

    @property
    def seconds_left(self) -> float | None:
        """Until its last epoch; None before the first has ended."""
        return None if self.epoch_seconds is None else self.epoch_seconds * (self.epochs - self.epoch)


class Heartbeat:
    """Describes a study on its stage, every few seconds.

    Args:
        store: its rows.
        config: of the study.
        stage: on which it is shown; counts trials.
        epochs_of: the epochs that a trial is trained for.
        seconds_left: of the time budget; None: there is none.
    """

    def __init__(
        self,
        store: TrialStore,
        config: TuningConfig,
        stage: Stage,
        epochs_of: Callable[[Trial], int],
        seconds_left: Callable[[], float | None],
    ) -> None:
        self._store, self._config, self._stage = store, config, stage
        self._epochs_of, self._seconds_left = epochs_of, seconds_left
        self._began: dict[str, float] = {}
        self._last, self._last_logged = 0.0, time.monotonic()

    def __call__(self, running: Iterable[Trial]) -> None:
        """Describe the study, unless that was done just now.

        Args:
            running: the trials in progress.
        """
        now = time.monotonic()
        if now - self._last < INTERVAL_S:
            return
        self._last = now
        trials = [self._running(trial, now) for trial in running]
        self._stage.describe(self.text(trials))
        if now - self._last_logged >= LOG_INTERVAL_S:
            self._last_logged = now
            self._stage.advance(0)

    def text(self, running: list[RunningTrial]) -> str:
        """The description, in a line.

        Args:
            running: the trials in progress.
        """
        parts = [trial.describe() for trial in running[:MAX_LISTED]]
        if len(running) > MAX_LISTED:
            parts.append(f"{len(running) - MAX_LISTED} more running")
        metric = self._config.metric
        if (best := ranking.best(self._store.trials, metric, self._config.seeds)) is not None:
            parts.append(f"best {lines.metric_name(metric)} {best.value(metric):.4f} (trial {best.number})")
        left = self._estimate(running)
        budget = self._seconds_left()
        if budget is not None:
            left = budget if left is None else min(left, budget)
        if left is not None:
            parts.append(f"about {lines.format_duration(max(left, 0))} left")
        return "; ".join(parts)

    def _running(self, trial: Trial, now: float) -> RunningTrial:
        records = self._store.epochs(trial)
        seconds = [record["trial_seconds"] for record in records]
        began = self._began.setdefault(trial.key, now)
        return RunningTrial(
            trial.number,
            records[-1]["epoch"] if records else 0,
            self._epochs_of(trial),
            now - began,
            sum(seconds) / len(seconds) if seconds else None,
        )

    def _estimate(self, running: list[RunningTrial]) -> float | None:
        """Seconds to the end of the study if later trials take as long as earlier ones; None if nothing is known."""
        total = self._config.max_configurations
        ended = [trial for trial in self._store.trials if trial.has_ended]
        trained = [trial.seconds for trial in ended if trial.epochs]
        current = [left for trial in running if (left := trial.seconds_left) is not None]
        if not trained and not current:
            return None
        if total is None:
            return None
        typical = (
            sum(trained) / len(trained)
            if trained
            else max(trial.epochs * (trial.epoch_seconds or 0) for trial in running)
        )
        waiting = max(total * self._config.seeds - len(ended) - len(running), 0)
        return max(current, default=typical) + waiting * typical / max(len(running), 1)
