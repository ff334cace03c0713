from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.dataset.token_dataset import TokenDataset
from tests.training.small_bundle import small_bundle, with_new_digests
from tests.tuning.conftest import BASE
from tuning import keys
from tuning.config import TuningConfig
from tuning.study import Study


def identity(path: Path, output: Path) -> dict[str, Any]:
    base = {**BASE, "training": {**BASE["training"], "start_from": str(path)}}
    return Study(TuningConfig(), base, None, output).identity(["d"])


def test_the_keys_of_a_start_can_be_searched() -> None:
    assert keys.validate_value("training.start_from", "a/bundle") == "a/bundle"
    assert keys.validate_value("training.head", "new") == "new"
    assert keys.numeric_type("training.freeze_body") is int
    assert keys.numeric_type("training.layer_decay") is float
    with pytest.raises(ValueError, match=r"training.head 'old'"):
        keys.validate_value("training.head", "old")


def test_a_study_is_known_by_the_content_of_the_bundle_it_starts_from(dataset: Path, tmp_path: Path) -> None:
    small_bundle(TokenDataset.open(dataset, "train")).save(tmp_path / "bundle")
    copy = Path(shutil.copytree(tmp_path / "bundle", tmp_path / "copy"))
    first = identity(tmp_path / "bundle", tmp_path)
    assert identity(copy, tmp_path) == first
    with_new_digests(copy, lambda config: config.update(genomes=["other"]))
    assert identity(copy, tmp_path) != first
