from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.dataset.token_dataset import read_manifest
from pipelines.errors import DatasetError
from tests.training.conftest import write_dataset
from training.splits import open_splits, opened_splits


def test_train_and_validation_of_one_dataset_are_opened(dataset: Path) -> None:
    train, validation = open_splits(dataset, read_manifest(dataset)["fingerprint"])
    assert (train.split, validation.split) == ("train", "validation")
    assert train.manifest == validation.manifest


def test_a_split_of_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="split train has one class only"):
        open_splits(write_dataset(tmp_path / "one", classes=1))


def test_a_dataset_with_another_fingerprint_is_refused(dataset: Path) -> None:
    with pytest.raises(DatasetError, match="was replaced"):
        open_splits(dataset, "0" * 64)


def test_a_process_opens_the_same_splits_once(dataset: Path) -> None:
    fingerprint = read_manifest(dataset)["fingerprint"]
    assert opened_splits(dataset, fingerprint) is opened_splits(dataset, fingerprint)
    with pytest.raises(DatasetError, match="replaced"):
        opened_splits(dataset, "0" * 64)
