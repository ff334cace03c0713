"""A model that is not part of the project, in `smoothing.py`: every part of the project works with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import UsageError
from pipelines.progress import Silent
from tests.training.conftest import write_dataset
from tests.training.models.smoothing import Smoothing
from training import model_registry, models
from training.bundle import bundle
from training.config import ModelConfig, TrainingConfig
from training.data.batch import collate
from training.distributed.train import train
from training.evaluation.recognition.evaluate import evaluate
from training.memory.analysis import analyse
from training.memory.formula import Work, estimate
from training.memory.probe import probe
from training.model_registry import ModelKind, register
from tuning.config import TuningConfig
from tuning.study import Study, tune

MODEL = ModelConfig(kind="smoothing", window=2, embedding=8, hidden=8, stem=8)
TRAINING = TrainingConfig(epochs=2, global_batch_size=16, learning_rate=0.01)


@pytest.fixture(scope="module")
def trained(ray_session: Any, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a run whose worker has never imported this module by itself."""
    output = tmp_path_factory.mktemp("runs") / "run"
    train(MODEL, TRAINING, dataset, output, Silent(), {})
    return output / "bundle"


@pytest.mark.full
@pytest.mark.ray
def test_it_trains_on_ray_and_its_bundle_loads(trained: Path, train_split: TokenDataset) -> None:
    loaded = bundle.load(trained)
    assert isinstance(loaded.model, models.recogniser.Recogniser)
    assert isinstance(loaded.model.body, Smoothing)
    assert loaded.config["model"]["kind"] == "smoothing"


@pytest.mark.full
@pytest.mark.ray
def test_it_is_evaluated(trained: Path, tmp_path: Path) -> None:
    directory = write_dataset(tmp_path / "data")
    manifest = json.loads((directory / "manifest.json").read_text()) | {"counts": []}
    (directory / "manifest.json").write_text(json.dumps(manifest))
    report = evaluate({"own": bundle.load(trained)}, directory, "test", 4096, samples=200)
    assert 0 <= report.models[0].metrics["auroc"] <= 1


@pytest.mark.full
@pytest.mark.ray
def test_its_sizes_are_tuned(ray_session: Any, dataset: Path, tmp_path: Path) -> None:
    config = TuningConfig.model_validate(
        {"space": {"model.kind": ["lstm", "smoothing"], "model.window": [2]}, "search": "grid", "scheduler": "none"}
    )
    base = {"model": {"embedding": 8, "hidden": 8, "stem": 8}, "training": {"epochs": 1, "global_batch_size": 32}}
    tune(Study(config, base, dataset, tmp_path / "study"), ray_session, Silent())
    rows = [json.loads(line) for line in (tmp_path / "study" / "trials.jsonl").read_text().splitlines()]
    assert sorted((row["parameters"]["model.kind"], row["state"]) for row in rows) == [
        ("lstm", "finished"),
        ("smoothing", "finished"),
    ]


def test_a_row_has_the_same_logit_in_any_batch() -> None:
    torch.manual_seed(0)
    model = models.make(MODEL, 67).eval()
    lengths = [3, 9, 40]
    tokens = np.random.default_rng(0).integers(1, 67, sum(lengths))
    offsets = np.concatenate([[0], np.cumsum(lengths)])

    def logits(rows: list[int]) -> torch.Tensor:
        logits: torch.Tensor = model(collate(tokens, offsets, np.zeros(3, np.int8), np.array(rows)))
        return logits

    with torch.inference_mode():
        torch.testing.assert_close(logits([0, 1, 2]), torch.cat([logits([row]) for row in range(3)]))


@pytest.mark.full
def test_its_memory_is_planned_and_a_probe_agrees(dataset: Path) -> None:
    analysis = analyse(MODEL, TRAINING, dataset)
    assert analysis.plan.token_budget > 0
    assert analysis.plan.probe is not None
    assert analysis.plan.probe.fits
    model, work = MODEL.model_copy(update={"hidden": 96, "embedding": 64}), Work(48, 900)
    measured = probe(model, TRAINING, 1027, work)
    predicted = estimate(model, TRAINING, 1027, work, measured.imported)
    assert predicted.peak == pytest.approx(measured.peak, rel=0.2)
    weights = sum(parameter.numel() for parameter in models.make(model, 1027).parameters())
    assert predicted.parameters == 4 * weights


def test_its_options_are_checked_wherever_a_configuration_is_read() -> None:
    with pytest.raises(ValueError, match="a smoothing model needs a window"):
        ModelConfig(kind="smoothing")


def test_a_second_body_of_the_same_name_is_refused() -> None:
    class Other(Smoothing):
        pass

    with pytest.raises(UsageError, match="smoothing: registered already"):
        register(ModelKind("smoothing", Other))


IN_ANOTHER_PROCESS = """
import sys
from pipelines.errors import RaygeneError
from training.bundle import bundle
try:
    print(type(bundle.load(sys.argv[1]).model.body).__name__)
except RaygeneError as error:
    print(error)
"""


def load_in_another_process(path: Path, variables: dict[str, str]) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.full
@pytest.mark.ray
def test_a_bundle_never_imports_code_that_the_user_has_not_named(trained: Path) -> None:
    refused = load_in_another_process(trained, {})
    assert "model.kind: unknown kind of model" in refused
    assert "RAYGENE_MODELS" in refused
    assert "\n" not in refused
    assert load_in_another_process(trained, model_registry.environment()) == "Smoothing"
