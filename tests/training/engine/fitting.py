"""The loop on a small model: by one worker, and by several that are threads of this process."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import loop
from training.engine.collective import Alone
from training.engine.observer import Observer, StepFigures

CPU = torch.device("cpu")
SMALL = {"embedding": 8, "hidden": 8, "stem": 8}


class Threads:
    """A group of workers that are threads of this process."""

    def __init__(self, rank: int, workers: int, board: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.workers, self._board, self._barrier = rank, workers, board, barrier

    def sum_(self, tensor: torch.Tensor) -> None:
        self._board[self.rank] = tensor.clone()
        self._barrier.wait(timeout=60)
        tensor.copy_(torch.stack(self._board).sum(0))
        self._barrier.wait(timeout=60)


def start(train: TokenDataset, config: TrainingConfig, dropout: float = 0.0) -> loop.State:
    torch.manual_seed(0)
    return loop.start(models.make(ModelConfig(dropout=dropout, **SMALL), train.tokenizer.vocabulary_size), config)


def fit(
    train: TokenDataset,
    validation: TokenDataset,
    config: TrainingConfig,
    dropout: float = 0.0,
    document: dict[str, Any] | None = None,
    on_checkpoint: Any = lambda state: None,
) -> tuple[list[loop.Record], loop.State, list[dict[str, Any]]]:
    state = start(train, config, dropout)
    if document:
        state.restore(document)
    records: list[loop.Record] = []
    documents: list[dict[str, Any]] = []

    class Keeper(Observer):
        def checkpoint_due(self, state: loop.State) -> bool:
            return bool(config.checkpoint_steps) and state.step % config.checkpoint_steps == 0

        def checkpoint(self, state: loop.State) -> None:
            on_checkpoint(state)

        def epoch_ended(self, record: loop.Record, state: loop.State) -> None:
            records.append(record)
            documents.append(copy.deepcopy(state.document()))

    assert loop.fit(state, train, validation, config, Alone(), CPU, Keeper())
    return records, state, documents


def fit_together(
    train: TokenDataset,
    validation: TokenDataset,
    config: TrainingConfig,
    workers: int,
    document: dict[str, Any] | None = None,
    observers: Sequence[Observer] | None = None,
    finish: bool = True,
) -> list[loop.State]:
    """The state that each of several workers ends in."""
    board: list[Any] = [None] * workers
    barrier = threading.Barrier(workers)
    watching = observers or [Observer()] * workers
    finished = [not finish] * workers
    states = [start(train, config) for _ in range(workers)]
    for state in states if document else []:
        state.restore(copy.deepcopy(document))

    def work(rank: int) -> None:
        group = Threads(rank, workers, board, barrier)
        finished[rank] = loop.fit(states[rank], train, validation, config, group, CPU, watching[rank])

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert finished == [finish] * workers
    return states


def losses(records: list[loop.Record]) -> np.ndarray:
    return np.array([[record["loss"], record["validation_loss"]] for record in records])


class Watcher(Observer):
    """Records the figures of every step and the positions of checkpoints; asks to stop from step `stop_at` on.

    Args:
        stop_at: number of the step, counted over all epochs from 1; None: never.
        checkpoint_steps: a checkpoint is due after so many steps of an epoch; 0: never.
    """

    def __init__(self, stop_at: int | None = None, checkpoint_steps: int = 0) -> None:
        self.figures: list[StepFigures] = []
        self.saved: list[tuple[int, int]] = []
        self._stop_at, self._checkpoint_steps, self._calls = stop_at, checkpoint_steps, 0

    def step_ended(self, state: loop.State, figures: StepFigures) -> None:
        self.figures.append(figures)

    def checkpoint_due(self, state: loop.State) -> bool:
        return bool(self._checkpoint_steps) and state.step % self._checkpoint_steps == 0

    def checkpoint(self, state: loop.State) -> None:
        self.saved.append((state.epoch, state.step))

    def should_stop(self) -> bool:
        self._calls += 1
        return self._stop_at is not None and self._calls >= self._stop_at
