"""A small real dataset whose trials last seconds, and the sections of an experiment on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.progress import Silent
from tests.training.conftest import write_dataset
from training.config import ModelConfig, TrainingConfig
from tuning.config import TuningConfig
from tuning.run import Clock
from tuning.search.proposals import make_proposals
from tuning.search.queue import TrialQueue
from tuning.search.trial_factory import DatasetRef, TrialFactory
from tuning.study import Study
from tuning.trial import Trial
from tuning.trials.memory_check import Feasibility
from tuning.trials.store import TrialStore

BASE: dict[str, Any] = {
    "model": {"embedding": 8, "hidden": 8, "stem": 8},
    "training": {"epochs": 2, "global_batch_size": 32, "seed": 5, "learning_rate": 0.01, "device": "cpu"},
}


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("tokens") / "dataset")


@pytest.fixture
def make_study(dataset: Path, tmp_path: Path) -> Callable[..., Study]:
    def make(base: dict[str, Any] | None = None, **tuning: Any) -> Study:
        return Study(TuningConfig.model_validate(tuning), base or BASE, dataset, tmp_path / "study")

    return make


def make_queue(
    output: Path, config: TuningConfig, ended: list[Trial] | None = None, spent: float = 0.0, max_hidden: int = 64
) -> TrialQueue:
    """A queue on what is recorded in a directory; models with a larger hidden size than `max_hidden` do not fit."""

    def check_memory(model: ModelConfig, training: TrainingConfig, dataset: DatasetRef) -> Feasibility:
        fits = model.hidden <= max_hidden
        return Feasibility(fits, model.hidden * 10, max_hidden * 10, "" if fits else "too large", token_budget=99)

    store = TrialStore(output)
    proposals = make_proposals(config, BASE, len({trial.configuration for trial in store.trials}))
    factory = TrialFactory(config, BASE, lambda _: DatasetRef(output, "f" * 64), check_memory)
    on_end = (lambda trial: None) if ended is None else ended.append
    return TrialQueue(config, BASE, store, proposals, factory, Clock(spent), on_end)


@pytest.fixture
def silent() -> Silent:
    return Silent()
