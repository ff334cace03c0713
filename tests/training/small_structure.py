"""A small bundle of a model of gene structure, whose weights were not trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.tokens.tokenizer import Tokenizer
from training import networks
from training.bundle.bundle import Bundle
from training.bundle.description import describe, parameters
from training.config import ModelConfig
from training.decoding.settings import Settings
from training.tasks import STRUCTURE, Task

TOKENIZER = Tokenizer(3, 1, "anchor")
MODEL = ModelConfig(
    kind="cnn", embedding=8, hidden=8, layers=1, stem=8, stem_stride=9, base_channels=8, base_layers=1, dropout=0.0
)
WINDOW = 999


def small_structure_bundle(settings: Settings | None = None, genetic_codes: Mapping[str, int] | None = None) -> Bundle:
    """An untrained model for windows of 999 bases, of one genome or of those whose genetic codes are given."""
    sources = [{"genome": genome, "genetic_code": code} for genome, code in (genetic_codes or {}).items()]
    model = networks.fresh(Task(STRUCTURE), MODEL, TOKENIZER, 0).eval()
    config: dict[str, Any] = {
        "task": STRUCTURE,
        "sources": sources or [{"genome": "toy"}],
        "labels": {"transcript": "canonical", "utr": "intergenic", "pseudogenes": "mask", "noncoding": "intergenic"},
        "window": {"length": WINDOW},
    }
    tokenizer = {"fingerprint": TOKENIZER.fingerprint, "size": TOKENIZER.vocabulary_size, **TOKENIZER.parameters}
    manifest = {"fingerprint": "0" * 64, "config": config, "tokenizer": tokenizer}
    record = {"epoch": 3, "validation_exon_f1": 0.5}
    decoding = (settings or Settings()).model_dump(mode="json")
    described = describe(MODEL, {"epochs": 3}, manifest, record, None, {"ray": "2"}, decoding)
    return Bundle(model, TOKENIZER, described | {"parameters": parameters(model)})


def saved(folder: Path, settings: Settings | None = None) -> Path:
    """The bundle in a directory."""
    small_structure_bundle(settings).save(folder)
    return folder
