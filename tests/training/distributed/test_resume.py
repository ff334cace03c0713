from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import RaygeneError, TrainingError
from tests.training.engine.fitting import Threads
from training import models
from training.config import ModelConfig, TrainingConfig
from training.distributed.resume import resume
from training.engine import loop
from training.engine.checkpoints import Checkpoints
from training.engine.collective import Alone

CPU = torch.device("cpu")
MODEL = ModelConfig(embedding=8, hidden=8, stem=8)


def fresh(split: TokenDataset, model: ModelConfig = MODEL) -> loop.State:
    return loop.start(models.fresh(model, split.tokenizer, 0), TrainingConfig())


def save_checkpoint(folder: Path, split: TokenDataset, epoch: int, step: int) -> Checkpoints:
    checkpoints, state = Checkpoints(folder), fresh(split)
    state.epoch, state.step = epoch, step
    checkpoints.save(copy.deepcopy(state.document()))
    checkpoints.wait()
    return checkpoints


def resume_together(states: list[loop.State], checkpoints: list[Checkpoints]) -> list[RaygeneError | None]:
    """Resume on several workers; return the error that each raises, or None."""
    board: list[Any] = [None] * len(states)
    barrier, errors = threading.Barrier(len(states)), [None] * len(states)

    def work(rank: int) -> None:
        try:
            resume(states[rank], checkpoints[rank], Threads(rank, len(states), board, barrier), CPU, timeout_s=0.1)
        except RaygeneError as error:
            errors[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(states))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return errors


def test_a_run_without_a_checkpoint_begins_at_the_first_step(train_split: TokenDataset, tmp_path: Path) -> None:
    states = [fresh(train_split), fresh(train_split)]
    assert resume_together(states, [Checkpoints(tmp_path), Checkpoints(tmp_path)]) == [None, None]
    assert [(state.epoch, state.step) for state in states] == [(0, 0)] * 2


def test_all_workers_resume_from_the_latest_checkpoint_of_the_first(train_split: TokenDataset, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, train_split, 2, 5)
    states = [fresh(train_split), fresh(train_split)]
    assert resume_together(states, [Checkpoints(tmp_path), Checkpoints(tmp_path)]) == [None, None]
    assert [(state.epoch, state.step) for state in states] == [(2, 5)] * 2


def test_a_checkpoint_that_one_worker_does_not_see_is_an_error_on_all(
    train_split: TokenDataset, tmp_path: Path
) -> None:
    latest = save_checkpoint(tmp_path / "first", train_split, 2, 5)
    save_checkpoint(tmp_path / "second", train_split, 2, 4)
    errors = resume_together([fresh(train_split), fresh(train_split)], [latest, Checkpoints(tmp_path / "second")])
    assert all(isinstance(error, TrainingError) for error in errors)
    assert "another worker cannot read" in str(errors[0])
    assert "every node reads and writes the same files" in str(errors[1])


def test_a_checkpoint_of_another_model_is_refused_in_one_line(train_split: TokenDataset, tmp_path: Path) -> None:
    checkpoints = save_checkpoint(tmp_path, train_split, 1, 0)
    state = fresh(train_split, MODEL.model_copy(update={"hidden": 16}))
    with pytest.raises(TrainingError, match=r"epoch-00001.*does not fit the model.*delete"):
        resume(state, checkpoints, Alone(), CPU)
