"""One worker of a Ray Train run: opens the dataset, resumes if there is a checkpoint, and runs the loop."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from pipelines.dataset import TokenDataset
from pipelines.errors import RaygeneError, TrainingError
from training import loop, models
from training.collective import Alone, Distributed
from training.config import ModelConfig, TrainingConfig

STATE = "state.pt"


def run(given: dict[str, Any]) -> None:
    """The function that Ray Train starts on every worker.

    Args:
        given: model and training sections as mappings, dataset path, threads, and the queue for news.
    """
    try:
        _run(given)
    except TrainingError as error:
        # Every worker sees the same loss, and trying again would end the same: no failure for Ray to retry.
        given["news"].put({"error": error})
    except RaygeneError as error:
        given["news"].put({"error": error})
        if given["training"]["workers"] > 1:
            # The others may be well and wait for this one: only a failure ends them.
            raise


def _run(given: dict[str, Any]) -> None:
    import ray.train
    from ray.train.torch import get_device

    config = TrainingConfig.model_validate(given["training"])
    torch.set_num_threads(given["threads"])
    device = get_device()
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    dataset = Path(given["dataset"])
    train, validation = TokenDataset.open(dataset, "train"), TokenDataset.open(dataset, "validation")
    model = models.fresh(ModelConfig.model_validate(given["model"]), train.tokenizer, config.seed).to(device)
    state = loop.start(model, config, device)
    if checkpoint := ray.train.get_checkpoint():
        with checkpoint.as_directory() as folder:
            state.restore(torch.load(Path(folder, STATE), map_location=device, weights_only=True))
    collective = Distributed() if config.workers > 1 else Alone()
    if not collective.rank:
        given["news"].put({"records": state.records})

    def keep(state: loop.State) -> None:
        figures = {"epoch": state.epoch, "step": state.step}
        if collective.rank:
            ray.train.report(figures)
            return
        with tempfile.TemporaryDirectory(prefix="raygene-checkpoint-") as folder:
            torch.save(state.document(), Path(folder, STATE))
            ray.train.report(figures, checkpoint=ray.train.Checkpoint.from_directory(folder))

    def report(record: loop.Record, state: loop.State) -> None:
        keep(state)
        if not collective.rank:
            given["news"].put({"records": state.records})

    loop.fit(state, train, validation, config, collective, device, report, keep)
