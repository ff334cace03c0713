"""What a worker does besides computing: log, save checkpoints, report to the driver, listen for a stop signal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from training.config import TrainingConfig
from training.distributed.messages import EpochFinished, Position, PositionReached, StepsLogged, WorkerEvent
from training.distributed.stop_signal import StopFile, is_terminated
from training.engine.checkpoints import CheckpointPolicy, Checkpoints
from training.engine.observer import Observer, Phase, StepFigures
from training.engine.state import Record, State
from training.hardware.usage import peak_bytes
from training.observability.embeddings import Embeddings
from training.observability.runlog import RunLog, StepLine

REPORT_INTERVAL_S = 0.5


class StopListener(Observer):
    """A worker that reports and saves nothing, but stops when its machine is going away."""

    def should_stop(self) -> bool:
        return is_terminated()

    def close(self) -> None:
        """Wait until everything is written."""


class Reporter(StopListener):
    """The one worker that logs, saves the checkpoints and reports to the driver.

    Args:
        send: sends an event to the driver without waiting.
        log: the run's log files.
        checkpoints: the run's checkpoints.
        embeddings: where the token vectors of the best epoch go.
        stop_file: by which the driver asks the workers to stop.
        config: how often to log and to save a checkpoint.
        device: whose peak memory is logged.
    """

    def __init__(
        self,
        send: Callable[[WorkerEvent], None],
        log: RunLog,
        checkpoints: Checkpoints,
        embeddings: Embeddings,
        stop_file: StopFile,
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        self._send, self._log, self._checkpoints, self._embeddings = send, log, checkpoints, embeddings
        self._stop_file = stop_file
        self._log_steps, self._device = config.log_steps, device
        self._policy = CheckpointPolicy.from_config(config)
        self._window: list[StepFigures] = []
        self._reported_at = self._window_began = time.monotonic()
        self._wait_seconds = 0.0

    def phase(self, name: Phase) -> AbstractContextManager[Any]:
        return self._timed_wait() if name == "data" else nullcontext()

    @contextmanager
    def _timed_wait(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._wait_seconds += time.monotonic() - began

    def step_ended(self, state: State, figures: StepFigures) -> None:
        self._window.append(figures)
        if len(self._window) >= self._log_steps:
            self._log_window()
        if time.monotonic() - self._reported_at >= REPORT_INTERVAL_S:
            self._send(PositionReached(Position(figures.epoch - 1, figures.step)))
            self._reported_at = time.monotonic()

    def checkpoint_due(self, state: State) -> bool:
        return self._policy.is_due(state.step)

    def checkpoint(self, state: State) -> None:
        """Start to save the state; training continues while it is written."""
        self._log_window()
        self._send(PositionReached(Position(state.epoch, state.step)))
        self._checkpoints.save(state.document())
        self._policy.saved()

    def epoch_ended(self, record: Record, state: State) -> None:
        record["peak_memory_bytes"] = peak_bytes(self._device)
        self.checkpoint(state)
        if state.best_record["epoch"] == record["epoch"]:
            self._embeddings.keep(record, state.best)
        self._log.epoch(state.records)
        self._send(EpochFinished(record))
        # Validation is no part of the next steps' time.
        self._window_began = time.monotonic()

    def close(self) -> None:
        self._log.close()
        self._checkpoints.wait()

    def should_stop(self) -> bool:
        return super().should_stop() or self._stop_file.is_requested()

    def _log_window(self) -> None:
        """Log the steps since the last line as one line."""
        if not self._window:
            return
        now, window, last = time.monotonic(), self._window, self._window[-1]
        seconds, tokens = max(now - self._window_began, 1e-9), sum(step.tokens for step in window)
        line = StepLine(
            epoch=last.epoch,
            step=last.step,
            loss=sum(step.loss for step in window) / len(window),
            gradient_norm=last.gradient_norm if math.isfinite(last.gradient_norm) else None,
            learning_rate=last.learning_rate,
            tokens_per_second=round(tokens / seconds),
            padding_share=1 - tokens / max(sum(step.padded for step in window), 1),
            wait_share=min(self._wait_seconds / seconds, 1.0),
            peak_memory_bytes=peak_bytes(self._device),
        )
        self._window, self._wait_seconds, self._window_began = [], 0.0, now
        self._log.step(line)
        self._send(StepsLogged(line))
