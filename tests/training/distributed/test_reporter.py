from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.config import ModelConfig, TrainingConfig
from training.distributed import stop_signal
from training.distributed.messages import StepsLogged, WorkerEvent
from training.distributed.reporter import Reporter
from training.distributed.stop_signal import StopFile
from training.engine import loop
from training.engine.checkpoints import Checkpoints
from training.engine.collective import Alone
from training.observability.embeddings import Embeddings
from training.observability.runlog import RunLog
from training.observability.tensorboard import Board

CPU = torch.device("cpu")
KEYS = {
    "run",
    "epoch",
    "step",
    "loss",
    "gradient_norm",
    "learning_rate",
    "tokens_per_second",
    "padding_share",
    "wait_share",
    "peak_memory_bytes",
}


def run(
    folder: Path, train: TokenDataset, validation: TokenDataset, config: TrainingConfig, **settings: Any
) -> tuple[loop.State, list[WorkerEvent], bool]:
    """A run without Ray, watched by a reporter; its state, the events it sent, and whether it finished."""
    checkpoints, events = Checkpoints(folder / "checkpoints"), []
    state = loop.start(models.fresh(ModelConfig(embedding=8, hidden=8, stem=8), train.tokenizer, 0), config)
    if (latest := checkpoints.latest()) is not None:
        state.restore(latest.load())
    log = RunLog(folder, "abc", Board(folder / "boards", 10) if config.tensorboard else None)
    log.begin(state.epoch, state.step, state.records)
    embeddings = Embeddings(folder / "embeddings", "abc", train.tokenizer)
    embeddings.keep(state.best_record, state.best)
    reporter = Reporter(events.append, log, checkpoints, embeddings, StopFile(folder / "checkpoints"), config, CPU)
    finished = loop.fit(state, train, validation, config, Alone(), CPU, settings.get("observer", reporter))
    if not finished:
        reporter.checkpoint(state)
    reporter.close()
    return state, events, finished


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def scalars(folder: Path) -> dict[str, list[int]]:
    """The steps of each scalar as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_a_line_is_written_every_few_steps_and_at_the_end_of_an_epoch(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=16, log_steps=4, tensorboard=False)
    state, events, _ = run(tmp_path, train_split, validation_split, config)
    step_lines = lines(tmp_path / "steps.jsonl")
    assert [(line["epoch"], line["step"]) for line in step_lines] == [(e, s) for e in (1, 2) for s in (4, 8, 10)]
    assert all(set(line) == KEYS for line in step_lines)
    assert step_lines == [{"run": "abc", **asdict(event.line)} for event in events if isinstance(event, StepsLogged)]
    assert lines(tmp_path / "metrics.jsonl") == state.records
    assert state.records[0]["peak_memory_bytes"] > 2**20


def test_tensorboard_shows_steps_and_epochs(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    run(tmp_path, train_split, validation_split, TrainingConfig(epochs=2, global_batch_size=16, log_steps=5))
    steps_of = scalars(tmp_path / "boards")
    assert steps_of["train/loss"] == steps_of["speed/tokens_per_second"] == [5, 10, 15, 20]
    assert steps_of["validation/auroc"] == steps_of["validation/loss"] == [10, 20]


def test_a_stopped_run_resumes_and_shows_every_step_once(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=16, log_steps=1)
    StopFile(tmp_path / "checkpoints").request()
    _, _, finished = run(tmp_path, train_split, validation_split, config)
    assert not finished
    assert [line["step"] for line in lines(tmp_path / "steps.jsonl")] == [1]
    StopFile(tmp_path / "checkpoints").clear()
    # What a killed writer leaves behind: steps after the checkpoint, and half a line.
    later, other_run, half = (
        '{"run": "abc", "epoch": 1, "step": 2}',
        '{"run": "other", "epoch": 1, "step": 1}',
        '{"epoch"',
    )
    with (tmp_path / "steps.jsonl").open("a") as stream:
        stream.write(f"{later}\n{other_run}\n{half}")
    state, _, finished = run(tmp_path, train_split, validation_split, config)
    assert finished
    positions = [(line["epoch"], line["step"]) for line in lines(tmp_path / "steps.jsonl")]
    assert positions == [(epoch, step) for epoch in (1, 2) for step in range(1, 11)]
    assert scalars(tmp_path / "boards")["train/loss"] == list(range(1, 21))
    assert [record["epoch"] for record in state.records] == [1, 2]


def test_a_worker_that_is_sent_sigterm_stops_within_its_epoch_and_its_last_step_is_saved(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_signal, "_terminated", threading.Event())
    before = signal.getsignal(signal.SIGTERM)
    stop_signal.install_handler()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        config = TrainingConfig(epochs=2, global_batch_size=16, tensorboard=False)
        state, _, finished = run(tmp_path, train_split, validation_split, config)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not finished
    checkpoint = Checkpoints(tmp_path / "checkpoints").latest()
    assert checkpoint is not None
    assert (checkpoint.epoch, checkpoint.step) == (0, state.step)
    assert 0 < state.step < 10


def test_the_driver_requests_a_stop_by_a_file(tmp_path: Path) -> None:
    assert not StopFile(tmp_path / "run").is_requested()
    StopFile(tmp_path / "run").request()
    assert StopFile(tmp_path / "run").is_requested()
    StopFile(tmp_path / "run").clear()
    assert not StopFile(tmp_path / "run").is_requested()
