"""A bundle's description of its model: how it was made, from which data, and how good it is.

It holds no time, speed or path. So the same run gives the same description, wherever and however fast it was trained.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from pipelines.audit import class_tables
from pipelines.dataset.manifest import classes, is_structure
from training.bundle.digests import FORMAT
from training.bundle.migrations import version_of
from training.config import ModelConfig, TrainingConfig
from training.tasks import CLASSIFY, STRUCTURE, Task

MAX_NAMES = 200
# Figures of an epoch that depend on the machine, not on the model.
MACHINE_FIGURES = {
    "padding_share",
    "peak_memory_bytes",
    "seconds",
    "tokens_per_second",
    "train_seconds",
    "wait_share",
}
# An address within a private network is not to be published.
PRIVATE = {"mlflow", "mlflow_experiment"}


def describe(
    model: ModelConfig,
    training: dict[str, Any],
    manifest: dict[str, Any],
    record: dict[str, Any],
    threshold: float | None,
    versions: dict[str, str],
    decoding: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of `config.json` without its digests.

    Args:
        model: the architecture.
        training: the training section.
        manifest: of the dataset trained on.
        record: metrics of the epoch whose weights the bundle holds.
        threshold: the probability from which an interval is called a gene (recognition).
        versions: of the software.
        decoding: settings of the decoder (structure).
    """
    config = manifest["config"]
    of_task: dict[str, Any] = {"labels": ["negative", "gene"], "threshold": threshold}
    task = Task.of_dataset(config)
    if task.has_classes:
        of_task = {"task": CLASSIFY, "classes": list(task.classes)}
    if task.is_structure:
        of_task = {"task": STRUCTURE, "labels": config["labels"], "window": config["window"], "decoding": decoding}
    described = {
        "format": FORMAT,
        "model": model.architecture(),
        "training": training,
        **of_task,
        "tokenizer": manifest["tokenizer"],
        "dataset": data(manifest),
        "genomes": [source["genome"] for source in manifest["config"]["sources"]],
        "metrics": without_machine_figures(record),
        "versions": versions | {"torch": torch.__version__, "python": platform.python_version()},
    }
    return described | {"format_version": version_of(described)}


def published(training: TrainingConfig) -> dict[str, Any]:
    """The training section as a bundle holds it: without private addresses."""
    return training.document(PRIVATE)


def without_machine_figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an epoch that do not depend on the machine."""
    return {name: value for name, value in record.items() if name not in MACHINE_FIGURES}


def parameters(model: nn.Module) -> int:
    """Number of learnt parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def data(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a dataset's manifest that a bundle holds; entries that the manifest lacks are left out."""
    names = ("fingerprint", "config", "longest", "inputs", "leakage", "split_in_blocks", "versions")
    values = {name: manifest[name] for name in names if manifest.get(name) is not None}
    if not manifest.get("counts"):
        return values
    splits = _splits(manifest["counts"])
    if is_structure(manifest):
        splits = _structure_splits(manifest, splits)
    elif classes(manifest):
        splits = _class_splits(manifest, splits)
    return values | {"splits": splits}


def _class_splits(manifest: Mapping[str, Any], splits: dict[str, Any]) -> dict[str, Any]:
    """Each split: sequences of each class, and its files."""
    counts = class_tables.counts(manifest)
    return {
        split: {"classes": {name: counts[split][name] for name in classes(manifest)}}
        | {name: described[name] for name in ("sequences", "names") if name in described}
        for split, described in splits.items()
    }


def _structure_splits(manifest: Mapping[str, Any], splits: dict[str, Any]) -> dict[str, Any]:
    """Each split: windows, bases, genes that are labelled, masked bases of both strands, and its sequences."""
    of_structure: dict[str, Any] = {}
    for split, described in splits.items():
        parts = [part for part in manifest["structure"] if part["split"] == split]
        of_structure[split] = {
            "windows": sum(part["windows"] for part in parts),
            "bases": sum(part["bases"] for part in parts),
            "genes": sum(part["genes"].get("labelled", 0) for part in parts),
            "masked_bases": sum(sum(part["masked"].values()) for part in parts),
        } | {name: described[name] for name in ("sequences", "names") if name in described}
    return of_structure


def _splits(counts: list[dict[str, Any]]) -> dict[str, Any]:
    """Each split: rows by source, and its sequences as `genome:chromosome`, or their number alone if over 200."""
    splits: dict[str, Any] = {}
    for split in ("train", "validation", "test"):
        of_split = [row for row in counts if row["split"] == split]
        if not of_split:
            continue
        rows: dict[str, int] = {}
        for row in of_split:
            rows[row["source"]] = rows.get(row["source"], 0) + row["rows"]
        names = list(dict.fromkeys(f"{row['genome']}:{row['chromosome']}" for row in of_split))
        genes = sum(row["rows"] for row in of_split if row["label"] == 1)
        splits[split] = {
            "genes": genes,
            "negatives": sum(row["rows"] for row in of_split) - genes,
            "rows": rows,
            "sequences": len(names),
        } | ({"names": names} if len(names) <= MAX_NAMES else {})
    return splits
