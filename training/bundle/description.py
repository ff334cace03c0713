"""What a bundle says of its model: how it was made, of what, and how well it did. No time, speed or place is in it.

So the same run gives the same description, wherever and how fast it was trained.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from training.bundle.digests import FORMAT
from training.bundle.migrations import NEWEST
from training.config import ModelConfig, TrainingConfig

MOST_NAMES = 200
# Figures of an epoch that tell of a machine, not of a model.
OF_A_MACHINE = {
    "padding_share",
    "peak_memory_bytes",
    "seconds",
    "tokens_per_second",
    "train_seconds",
    "wait_share",
}
# An address within somebody's network is nothing to publish.
PRIVATE = {"mlflow", "mlflow_experiment"}


def describe(
    model: ModelConfig,
    training: dict[str, Any],
    manifest: dict[str, Any],
    record: dict[str, Any],
    threshold: float,
    versions: dict[str, str],
) -> dict[str, Any]:
    """The content of `config.json`, its digests aside.

    Args:
        model: sizes of the model.
        training: the training section.
        manifest: of the dataset trained on.
        record: metrics of the epoch whose weights are kept.
        threshold: from which probability on an interval is called a gene.
        versions: of the software.
    """
    return {
        "format": FORMAT,
        "format_version": NEWEST,
        "model": model.architecture(),
        "training": training,
        "labels": ["negative", "gene"],
        "threshold": threshold,
        "tokenizer": manifest["tokenizer"],
        "dataset": data(manifest),
        "genomes": [source["genome"] for source in manifest["config"]["sources"]],
        "metrics": lasting(record),
        "versions": versions | {"torch": torch.__version__, "python": platform.python_version()},
    }


def published(training: TrainingConfig) -> dict[str, Any]:
    """The training section as a bundle shows it."""
    return training.model_dump(mode="json", exclude=PRIVATE)


def lasting(record: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an epoch that tell of the model."""
    return {name: value for name, value in record.items() if name not in OF_A_MACHINE}


def parameters(model: nn.Module) -> int:
    """Numbers that are learnt."""
    return sum(one.numel() for one in model.parameters())


def data(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a bundle keeps of its dataset's manifest; entries that a manifest lacks are left out."""
    kept = ("fingerprint", "config", "longest", "inputs", "leakage", "split_in_blocks", "versions")
    found = {name: manifest[name] for name in kept if manifest.get(name) is not None}
    return found | ({"splits": _splits(manifest["counts"])} if manifest.get("counts") else {})


def _splits(counts: list[dict[str, Any]]) -> dict[str, Any]:
    """By split: rows by the source of the interval, and `genome:chromosome` of each sequence (or how many, if over 200)."""
    splits: dict[str, Any] = {}
    for split in ("train", "validation", "test"):
        here = [row for row in counts if row["split"] == split]
        if not here:
            continue
        rows: dict[str, int] = {}
        for row in here:
            rows[row["source"]] = rows.get(row["source"], 0) + row["rows"]
        names = list(dict.fromkeys(f"{row['genome']}:{row['chromosome']}" for row in here))
        genes = sum(row["rows"] for row in here if row["label"] == 1)
        splits[split] = {
            "genes": genes,
            "negatives": sum(row["rows"] for row in here) - genes,
            "rows": rows,
            "sequences": len(names),
        } | ({"names": names} if len(names) <= MOST_NAMES else {})
    return splits
