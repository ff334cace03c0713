"""Two models of classes, one of which is half right, on the test split of the small dataset of classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from tests.training.small_bundle import small_class_bundle
from training.bundle.bundle import Bundle
from training.config import TrainingConfig
from training.engine import loop
from training.engine.collective import Alone
from training.engine.objectives.by_task import objective_of
from training.evaluation.bootstrap import Resampling
from training.evaluation.classes.evaluate import ClassEvaluation, evaluate_classes


@pytest.fixture(scope="session")
def class_bundles(class_dataset: Path) -> dict[str, Bundle]:
    """A model of six epochs, and the same one with drawn weights."""
    train, validation = (TokenDataset.open(class_dataset, split) for split in ("train", "validation"))
    trained, drawn = small_class_bundle(train), small_class_bundle(train)
    config = TrainingConfig(epochs=6, global_batch_size=16, learning_rate=0.02)
    torch.manual_seed(0)
    objective = objective_of(config, train)
    loop.fit(loop.start(trained.model, config), train, validation, config, Alone(), loop.CPU, objective=objective)
    other = drawn.config | {"dataset": drawn.config["dataset"] | {"fingerprint": "0" * 64}}
    return {"<trained>": replace(trained, model=trained.model.eval()), "drawn": replace(drawn, config=other)}


@pytest.fixture(scope="session")
def evaluated_classes(class_bundles: dict[str, Bundle], class_dataset: Path) -> ClassEvaluation:
    return evaluate_classes(class_bundles, class_dataset, "test", 4096, Resampling(100, 0))
