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
from tuning.search.proposals import proposals
from tuning.search.queue import Data, TrialQueue
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
def campaign(dataset: Path, tmp_path: Path) -> Callable[..., Study]:
    def make(base: dict[str, Any] | None = None, **tuning: Any) -> Study:
        return Study(TuningConfig.model_validate(tuning), base or BASE, dataset, tmp_path / "campaign")

    return make


def agenda(
    output: Path, config: TuningConfig, told: list[Trial] | None = None, spent: float = 0.0, most: int = 64
) -> TrialQueue:
    """An agenda on what is recorded in a folder, with room for models of up to so many states."""

    def judge(model: ModelConfig, training: TrainingConfig, data: Data) -> Feasibility:
        fits = model.hidden <= most
        return Feasibility(fits, model.hidden * 10, most * 10, "" if fits else "too large", token_budget=99)

    ledger = TrialStore(output)
    source = proposals(config, BASE, len({trial.configuration for trial in ledger.trials}))
    tell = (lambda trial: None) if told is None else told.append
    return TrialQueue(config, BASE, ledger, source, lambda _: Data(output, "f" * 64), judge, Clock(spent), tell)


@pytest.fixture
def silent() -> Silent:
    return Silent()
