"""Small bundles for tests: complete ones, and ones that were changed and given digests that fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.dataset.token_dataset import TokenDataset
from training import models, networks
from training.bundle import digests
from training.bundle.bundle import DIGESTED_FILES, Bundle
from training.bundle.description import describe, parameters
from training.config import ModelConfig
from training.tasks import Task

MODEL = ModelConfig(embedding=8, hidden=8, stem=8)


def small_bundle(split: TokenDataset, size: ModelConfig = MODEL) -> Bundle:
    """An untrained model of a dataset's tokenizer."""
    model = models.fresh(size, split.tokenizer, 0).eval()
    record = {"epoch": 3, "validation_auroc": 0.9, "validation_mcc": 0.7, "seconds": 1.5}
    config = describe(size, {"epochs": 3}, split.manifest, record, 0.4, {"ray": "2"})
    return Bundle(model, split.tokenizer, config | {"parameters": parameters(model)})


def small_class_bundle(split: TokenDataset, size: ModelConfig = MODEL) -> Bundle:
    """An untrained model of a dataset of three classes."""
    task = Task.of_dataset(split.manifest["config"])
    model = networks.fresh(task, size := task.model(size), split.tokenizer, 0).eval()
    names = ("auroc", "auprc", "mcc", "macro_f1", "accuracy")
    record = {"epoch": 3, **{f"validation_{name}": 0.7 for name in names}}
    config = describe(size, {"epochs": 3}, split.manifest, record, None, {"ray": "2"})
    figures = {"shortcuts": {"kmers": 0.8, "gc": 0.6}, "confusion": [[9, 1, 0], [1, 8, 1], [2, 1, 7]]}
    return Bundle(model, split.tokenizer, config | figures | {"parameters": parameters(model)})


def config_of(saved: Path) -> dict[str, Any]:
    """The content of a bundle's `config.json`."""
    config: dict[str, Any] = json.loads((saved / "config.json").read_text())
    return config


def with_new_digests(saved: Path, change: Callable[[dict[str, Any]], None] = lambda config: None) -> Path:
    """Change a bundle's configuration and write digests that fit, as an attacker would; return the bundle."""
    config = config_of(saved)
    change(config)
    document = digests.with_digests(config, digests.entries_of_files(saved, DIGESTED_FILES, str(saved)))
    (saved / "config.json").write_text(json.dumps(document))
    return saved
