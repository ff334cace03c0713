"""Small bundles as tests need them: whole ones, and ones whose digests were written anew after a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.dataset.token_dataset import TokenDataset
from training import models
from training.bundle import digests
from training.bundle.bundle import SEALED, Bundle
from training.bundle.description import describe, parameters
from training.config import ModelConfig

MODEL = ModelConfig(embedding=8, hidden=8, stem=8)


def small_bundle(split: TokenDataset) -> Bundle:
    """An untrained model of a dataset's tokenizer."""
    model = models.fresh(MODEL, split.tokenizer, 0).eval()
    record = {"epoch": 3, "validation_auroc": 0.9, "validation_mcc": 0.7, "seconds": 1.5}
    config = describe(MODEL, {"epochs": 3}, split.manifest, record, 0.4, {"ray": "2"})
    return Bundle(model, split.tokenizer, config | {"parameters": parameters(model)})


def config_of(saved: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((saved / "config.json").read_text())
    return found


def resealed(saved: Path, change: Callable[[dict[str, Any]], None] = lambda config: None) -> Path:
    """A bundle whose configuration is changed and whose digests fit again, as whoever means harm would leave it."""
    config = config_of(saved)
    change(config)
    whole = digests.sealed(config, digests.measured(saved, SEALED))
    (saved / "config.json").write_text(json.dumps(whole))
    return saved
