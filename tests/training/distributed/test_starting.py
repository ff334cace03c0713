"""Runs that start from a bundle, with real workers of which one is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from tests.training.distributed.test_faults import await_steps, lines, meanwhile, pid_of_worker
from tests.training.small_bundle import MODEL, small_bundle
from training.bundle import start
from training.config import TrainingConfig
from training.distributed.train import train
from training.engine import loop
from training.engine.collective import Alone
from training.tasks import Task

pytestmark = pytest.mark.ray
# The head is new, so that the sizes are those of a bundle with dropout, and the figures depend on the seed.
KEYS = {
    "epochs": 3,
    "global_batch_size": 2,
    "optimizer": "sgd",
    "learning_rate": 0.005,
    "checkpoint_steps": 25,
    "log_steps": 1,
    "tensorboard": False,
    "head": "new",
    "freeze_body": 1,
    "layer_decay": 0.8,
}


@pytest.mark.full
def test_a_killed_worker_changes_no_weight_and_the_bundle_names_what_it_started_from(
    ray_session: Any, dataset: Path, tmp_path: Path
) -> None:
    opened, validation = TokenDataset.open(dataset, "train"), TokenDataset.open(dataset, "validation")
    source = small_bundle(opened)
    source.save(tmp_path / "source")
    config = TrainingConfig.model_validate({**KEYS, "start_from": str(tmp_path / "source")})
    model = MODEL.model_copy(update={"dropout": 0.0})
    state = loop.start(start.network(Task(), model, config, opened.tokenizer), config)
    loop.fit(state, opened, validation, config, Alone(), torch.device("cpu"))

    output, progress = tmp_path / "run", Silent()

    def kill() -> None:
        # Within the first thawed epoch, of 80 steps each.
        await_steps(output, 110)
        os.kill(pid_of_worker(output, 0), signal.SIGKILL)

    killing = meanwhile(kill)
    trained = train(model, config.model_copy(update={"workers": 2}), dataset, output, progress, {})
    killing.join()
    assert any("a worker was lost" in warning for warning in progress.warnings)
    positions = [(line["epoch"], line["step"]) for line in lines(output / "steps.jsonl")]
    assert positions == [(epoch, step) for epoch in (1, 2, 3) for step in range(1, 81)]
    for name, tensor in state.best.items():
        torch.testing.assert_close(trained.model.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
    assert [one["bundle"] for one in trained.config["ancestors"]] == [source.fingerprint]
    assert "start_from" not in trained.config["training"]
    assert trained.config["training"]["layer_decay"] == 0.8
    assert f"bundle {source.fingerprint[:12]}, trained on toy: head made anew" in (output / "train.log").read_text(
        encoding="utf-8"
    )
