"""Opens the two splits that a model is trained on, and checks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import DatasetError


def open_splits(dataset: Path, fingerprint: str | None = None) -> tuple[TokenDataset, TokenDataset]:
    """Open train and validation of one dataset.

    Args:
        dataset: its directory.
        fingerprint: that the dataset must have; None: any.

    Raises:
        DatasetError: no finished dataset, a dataset with another fingerprint, or a split that is empty or lacks a
        class.
    """
    train = TokenDataset.open(dataset, "train", fingerprint)
    validation = TokenDataset.open(dataset, "validation", train.manifest["fingerprint"])
    for split in (train, validation):
        if np.unique(split.labels).tolist() != [0, 1]:
            raise DatasetError(
                f"{dataset}: split {split.split} has one class only", "change the split section and build again"
            )
    return train, validation
