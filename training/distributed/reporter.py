"""What a worker under Ray does beside computing: log, keep checkpoints, tell the driver, hear that it is to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from training.config import TrainingConfig
from training.distributed.stop_signal import StopFile, terminated
from training.engine.checkpoints import CheckpointPolicy, Checkpoints
from training.engine.observer import Observer, Phase, StepFigures
from training.engine.state import Record, State
from training.hardware.usage import peak_bytes
from training.observability.embeddings import Embeddings
from training.observability.runlog import RunLog

TELL_EVERY_S = 0.5
Tell = Callable[[dict[str, Any]], None]


class Listener(Observer):
    """A worker that neither tells nor keeps anything, but may have to stop."""

    def stopping(self) -> bool:
        return terminated()

    def close(self) -> None:
        """Wait until everything is written."""


class Reporter(Listener):
    """The worker that logs, keeps the checkpoints and tells the driver; there is one.

    Args:
        tell: sends a message to the driver without waiting.
        log: where figures go.
        checkpoints: where they go.
        embeddings: where the token vectors of the best epoch go.
        stop: asked whether the driver wants the workers to stop.
        config: how often to log and to keep.
        device: whose memory is told.
    """

    def __init__(
        self,
        tell: Tell,
        log: RunLog,
        checkpoints: Checkpoints,
        embeddings: Embeddings,
        stop: StopFile,
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        self._tell, self._log, self._checkpoints, self._embeddings = tell, log, checkpoints, embeddings
        self._stop = stop
        self._config, self._device = config, device
        self._window: list[StepFigures] = []
        self._policy = CheckpointPolicy.from_config(config)
        self._told = self._line_began = time.monotonic()
        self._waited = 0.0

    def phase(self, name: Phase) -> AbstractContextManager[Any]:
        return self._waiting() if name == "data" else nullcontext()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    def stepped(self, state: State, figures: StepFigures) -> None:
        self._window.append(figures)
        if len(self._window) >= self._config.log_steps:
            self._close_line()
        if time.monotonic() - self._told >= TELL_EVERY_S:
            self._tell({"at": (figures.epoch - 1, figures.step)})
            self._told = time.monotonic()

    def checkpoint_due(self, state: State) -> bool:
        return self._policy.is_due(state.step)

    def checkpoint(self, state: State) -> None:
        """Begin to keep the state; training goes on while it is written."""
        self._close_line()
        self._tell({"at": (state.epoch, state.step)})
        self._checkpoints.save(state.document())
        self._policy.saved()

    def epoch_ended(self, record: Record, state: State) -> None:
        record["peak_memory_bytes"] = peak_bytes(self._device)
        self.checkpoint(state)
        if state.best_record["epoch"] == record["epoch"]:
            self._embeddings.keep(record, state.best)
        self._log.epoch(state.records)
        self._tell({"record": record})
        self._line_began = time.monotonic()

    def close(self) -> None:
        self._log.close()
        self._checkpoints.wait()

    def stopping(self) -> bool:
        return super().stopping() or self._stop.there()

    def _close_line(self) -> None:
        if not self._window:
            return
        now, window, last = time.monotonic(), self._window, self._window[-1]
        seconds, tokens = max(now - self._line_began, 1e-9), sum(one.tokens for one in window)
        line = {
            "epoch": last.epoch,
            "step": last.step,
            "loss": sum(one.loss for one in window) / len(window),
            "gradient_norm": last.gradient_norm if math.isfinite(last.gradient_norm) else None,
            "learning_rate": last.learning_rate,
            "tokens_per_second": round(tokens / seconds),
            "padding_share": 1 - tokens / max(sum(one.padded for one in window), 1),
            "wait_share": min(self._waited / seconds, 1.0),
            "peak_memory_bytes": peak_bytes(self._device),
        }
        self._window, self._waited, self._line_began = [], 0.0, now
        self._log.step(line)
        self._tell({"line": line})
