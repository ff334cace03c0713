"""The figures of an epoch: adds up those of its steps in the state, and decides when the loop has to end early."""

from __future__ import annotations

import math
import time

import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import TrainingError
from training.config import TrainingConfig
from training.data.feed import Feed
from training.data.step_plan import EpochPlan
from training.engine.observer import Observer, StepFigures
from training.engine.optimization.schedule import learning_rate
from training.engine.state import State
from training.engine.step_metrics import DeferredMetrics, StepMetrics, lag_of

# In a row. Each of them halves the loss scale, which begins at 2^16: so many have another cause than the scale.
MAX_SKIPPED = 100


class EpochMetrics:
    """Adds up the figures of an epoch's steps as they arrive from the device.

    A stop request, or a loss that is not a number, ends the loop `lag` steps after its own step. This holds also for a
    worker that has read the figure earlier because it saved a checkpoint. So all workers end after the same step.

    Args:
        state: whose sums are kept up to date.
        train: the rows.
        steps: the rows of every step of the epoch.
        config: the optimisation.
        device: where the figures are computed.
        feed: counts the seconds that the loop waits for batches.
        observer: called after every step.
    """

    def __init__(
        self,
        state: State,
        train: TokenDataset,
        steps: EpochPlan,
        config: TrainingConfig,
        device: torch.device,
        feed: Feed,
        observer: Observer,
    ) -> None:
        self._state, self._steps, self._config = state, steps, config
        self._lengths, self._feed, self._observer = train.lengths, feed, observer
        self._lag = lag_of(device)
        self._deferred = DeferredMetrics(device, self._lag)
        self._next_step = state.step
        self._skipped = 0
        self._last_step: int | None = None
        self._error: TrainingError | None = None
        self._flushed_at, self._waited = time.monotonic(), 0.0

    def record(self, sums: torch.Tensor, gradient_norm: torch.Tensor) -> bool:
        """Record a step; return whether the loop has to end after it.

        Args:
            sums: of the step over all workers, shape (3,), as `StepSums.vector`.
            gradient_norm: before clipping, shape ().
        """
        self._deferred.put(sums, gradient_norm)
        for metrics in self._deferred.take():
            self._add(metrics)
        return self._last_step is not None and self._state.step > self._last_step

    def flush(self) -> bool:
        """Wait for the figures of all steps, so that the state is complete; return whether it may be saved."""
        for metrics in self._deferred.take(wait_for_all=True):
            self._add(metrics)
        now, waited = time.monotonic(), self._feed.waited
        self._state.add(seconds=now - self._flushed_at, waited=waited - self._waited)
        self._flushed_at, self._waited = now, waited
        return self._error is None

    def finish(self) -> bool:
        """Flush after the last step; return whether the loop was stopped before the end of the epoch.

        Raises:
            TrainingError: the loss or the gradient is no longer a number.
        """
        self.flush()
        if self._error is not None:
            raise self._error
        return self._last_step is not None

    def _add(self, metrics: StepMetrics) -> None:
        number, rows = self._next_step, self._steps[self._next_step]
        self._next_step += 1
        error = self._divergence(metrics, number)
        self._error = self._error or error
        if (error is not None or metrics.stop_requests) and self._last_step is None:
            self._last_step = number + self._lag
        if self._error is not None:
            return
        self._state.add(loss=metrics.loss, padded=metrics.padded)
        figures = StepFigures(
            epoch=self._state.epoch + 1,
            step=number + 1,
            loss=metrics.loss / len(rows),
            gradient_norm=metrics.gradient_norm,
            learning_rate=learning_rate(self._state.epoch * len(self._steps) + number, len(self._steps), self._config),
            tokens=int(self._lengths[rows].sum()),
            padded=metrics.padded,
        )
        self._observer.step_ended(self._state, figures)

    def _divergence(self, metrics: StepMetrics, number: int) -> TrainingError | None:
        """The error of a step whose figures are no numbers; None if they are, or if fp16 may skip the step."""
        position = f"epoch {self._state.epoch + 1}, step {number + 1}"
        if not math.isfinite(metrics.loss):
            return diverged(f"{position}: the loss is")
        if math.isfinite(metrics.gradient_norm):
            self._skipped = 0
            return None
        # With fp16 an overflow is normal: the step is skipped and the loss scale lowered. But not for ever.
        self._skipped += 1
        if self._config.precision != "fp16" or self._skipped > MAX_SKIPPED:
            return diverged(f"{position}: the gradient is")
        return None


def diverged(subject: str) -> TrainingError:
    """The error for a figure that is not a number.

    Args:
        subject: position and figure, with a verb: `epoch 1, step 2: the loss is`.
    """
    return TrainingError(
        f"{subject} no longer a number",
        "lower training.learning_rate; the last good checkpoint is kept",
        code="diverged",
        key="training.learning_rate",
    )
