"""A small real dataset of windows whose bases have states, and a small model of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.pipelines.build.gene_genomes import make_gene_genome, structure_config, write_dataset
from training.config import ModelConfig, TrainingConfig
from training.tasks import STRUCTURE, Task

MODEL = ModelConfig(
    kind="cnn", embedding=8, hidden=8, stem=8, stem_stride=9, base_channels=8, base_layers=1, dropout=0.0
)


def write_gene_windows(folder: Path, *, bases: int = 12_000, **sections: Any) -> Path:
    """A dataset of one genome: chr1 for train, chr2 for validation, chr3 for test, in windows of 500 bases."""
    return write_dataset(
        structure_config(make_gene_genome(folder / "genome", bases=bases), **sections), folder / "data"
    )


def training_of(**keys: Any) -> TrainingConfig:
    """An optimisation with every key of the task."""
    return Task(STRUCTURE).training(TrainingConfig.model_validate({"epochs": 2, "global_batch_size": 4, **keys}))
