"""Opens the two splits that a model is trained on, and checks them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipelines.dataset.location import Location
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError
from training.tasks import Task


def open_splits(dataset: Location, fingerprint: str | None = None) -> tuple[TokenDataset, TokenDataset]:
    """Open train and validation of one dataset.

    Args:
        dataset: its directory or address.
        fingerprint: that the dataset must have; None: any.

    Raises:
        DatasetError: no finished dataset, a dataset with another fingerprint, or a split that is empty, lacks a class
            (recognition, classification) or has no coding base (structure).
    """
    train = TokenDataset.open(dataset, "train", fingerprint)
    validation = TokenDataset.open(dataset, "validation", train.manifest["fingerprint"])
    task = Task.of_dataset(train.manifest["config"])
    for split in (train, validation):
        if task.is_structure:
            _require_genes(split, dataset)
        elif task.has_classes:
            _require_classes(split, task.classes, dataset)
        elif np.unique(split.labels).tolist() != [0, 1]:
            raise DatasetError(
                f"{dataset}: split {split.split} has one class only", "change the split section and build again"
            )
    return train, validation


def opened_splits(dataset: Location, fingerprint: str | None) -> tuple[TokenDataset, TokenDataset]:
    """As `open_splits`, but the splits that this process opened last by their fingerprint are not opened again."""
    return open_splits(dataset) if fingerprint is None else _opened_last(dataset, fingerprint)


@lru_cache(maxsize=1)
def _opened_last(dataset: Location, fingerprint: str) -> tuple[TokenDataset, TokenDataset]:
    return open_splits(dataset, fingerprint)


def _require_classes(split: TokenDataset, classes: tuple[str, ...], dataset: Location) -> None:
    """Train has every class, validation two of them at least, without which it ranks no epoch."""
    present = np.unique(split.labels)
    needed = len(classes) if split.split == "train" else 2
    if len(present) < needed:
        raise DatasetError(
            f"{dataset}: split {split.split} has sequences of {len(present)} of {len(classes)} classes",
            "change the split section, or add sequences, and build again",
        )


def _require_genes(split: TokenDataset, dataset: Location) -> None:
    """A window's label says whether it has a coding base."""
    if not split.labels.any():
        raise DatasetError(
            f"{dataset}: split {split.split} has no coding base, so that nothing can be learnt or compared",
            "change the split section and build again",
        )
