"""The books of an epoch: what its steps come to, kept in the state as their figures come in from the device."""

from __future__ import annotations

import math
import time

import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import TrainingError
from training.config import TrainingConfig
from training.data.feed import Feed
from training.data.step_plan import Rows
from training.engine.observer import Observer, StepFigures
from training.engine.schedule import rate
from training.engine.state import State
from training.engine.step_metrics import DeferredMetrics, StepMetrics, lag_of

MOST_SKIPPED = 100


class EpochMetrics:
    """Keeps the sums of an epoch.

    A step that tells of a wish to stop, or of a figure that is no number, ends the loop `lag` steps later, whoever has read
    it earlier for the sake of a checkpoint: on every worker after the same step. At the end of an epoch all know all.

    Args:
        state: kept up to date.
        train: the rows.
        steps: rows of every step of the epoch.
        config: the optimisation.
        device: where figures come from.
        batches: asked how long the loop has waited for it.
        observer: told of every step.
    """

    def __init__(
        self,
        state: State,
        train: TokenDataset,
        steps: list[Rows],
        config: TrainingConfig,
        device: torch.device,
        batches: Feed,
        observer: Observer,
    ) -> None:
        self._state, self._steps, self._config = state, steps, config
        self._lengths, self._batches, self._observer = train.lengths, batches, observer
        self._lag = lag_of(device)
        self._ledger = DeferredMetrics(device, self._lag)
        self._told = state.step
        self._skipped = 0
        self._last: int | None = None
        self._error: TrainingError | None = None
        self._began, self._waited = time.monotonic(), 0.0

    def enter(self, sums: torch.Tensor, norm: torch.Tensor) -> bool:
        """Take a step's figures; whether it is the last."""
        self._ledger.put(sums, norm)
        for told in self._ledger.take():
            self._tell(told)
        return self._last is not None and self._state.step > self._last

    def close(self) -> bool:
        """Wait for all figures and the time, so that the state tells of every step done; whether it may be kept."""
        for told in self._ledger.take(all_of_them=True):
            self._tell(told)
        now, waited = time.monotonic(), self._batches.waited
        self._state.add(seconds=now - self._began, waited=waited - self._waited)
        self._began, self._waited = now, waited
        return self._error is None

    def end(self) -> bool:
        """Close after the last step; whether it was one that stopped the loop.

        Raises:
            TrainingError: the loss or the gradient is no longer a number.
        """
        self.close()
        if self._error is not None:
            raise self._error
        return self._last is not None

    def _tell(self, told: StepMetrics) -> None:
        rows, number = self._steps[self._told], self._told
        self._told += 1
        if (error := self._judge(told, number)) is not None:
            self._error = self._error or error
        if (error is not None or told.stopping) and self._last is None:
            self._last = number + self._lag
        if self._error is not None:
            return
        self._state.add(loss=told.loss, padded=told.padded)
        figures = StepFigures(
            epoch=self._state.epoch + 1,
            step=number + 1,
            loss=told.loss / len(rows),
            gradient_norm=told.gradient_norm,
            learning_rate=rate(self._state.epoch * len(self._steps) + number, len(self._steps), self._config),
            tokens=int(self._lengths[rows].sum()),
            padded=told.padded,
        )
        self._observer.step_ended(self._state, figures)

    def _judge(self, told: StepMetrics, number: int) -> TrainingError | None:
        """What is wrong with a step, if anything: fp16 skips a step whose gradient overflowed, but not for ever."""
        place = f"epoch {self._state.epoch + 1}, step {number + 1}"
        if not math.isfinite(told.loss):
            return diverged(f"{place}: the loss is")
        if math.isfinite(told.gradient_norm):
            self._skipped = 0
            return None
        self._skipped += 1
        if self._config.precision != "fp16" or self._skipped > MOST_SKIPPED:
            return diverged(f"{place}: the gradient is")
        return None


def diverged(what: str) -> TrainingError:
    """The error for a figure that is no number; `what` ends in a verb."""
    return TrainingError(f"{what} no longer a number", "lower training.learning_rate; the last good checkpoint is kept")
