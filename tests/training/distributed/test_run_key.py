from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import UsageError
from pipelines.progress import Silent
from tests.training.small_bundle import MODEL, small_bundle, with_new_digests
from training.config import TrainingConfig
from training.distributed.run_key import key_without_start, run_key
from training.distributed.train import train
from training.observability import start_record


def training(path: Path | None, **keys: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"start_from": None if path is None else str(path), "epochs": 1, **keys})


def test_a_bundle_to_start_from_counts_by_its_content_and_not_by_its_path(
    train_split: TokenDataset, tmp_path: Path
) -> None:
    small_bundle(train_split).save(tmp_path / "bundle")
    copy = Path(shutil.copytree(tmp_path / "bundle", tmp_path / "copy"))
    started = run_key(MODEL, training(tmp_path / "bundle"), "d")
    assert run_key(MODEL, training(copy), "d") == started
    assert run_key(MODEL, training(copy, freeze_body=1), "d") != started
    with_new_digests(copy, lambda config: config.update(genomes=["other"]))
    drawn = run_key(MODEL, training(None), "d")
    assert len({started, run_key(MODEL, training(copy), "d"), drawn}) == 3
    assert key_without_start(MODEL, training(copy), "d") == drawn


def test_a_run_is_not_resumed_from_another_bundle_at_the_same_path(
    train_split: TokenDataset, dataset: Path, tmp_path: Path
) -> None:
    small_bundle(train_split).save(tmp_path / "bundle")
    config, output = training(tmp_path / "bundle"), tmp_path / "run"
    fingerprint = train_split.manifest["fingerprint"]
    start_record.write(output, key_without_start(MODEL, config, fingerprint), "0" * 64)
    with pytest.raises(UsageError, match=r"its run started from bundle 0{12}, and training.start_from is bundle"):
        train(MODEL, config, dataset, output, Silent(), {})
    assert not list(output.glob("checkpoints-*"))


def test_a_bundle_that_does_not_fit_is_refused_before_anything_is_written(
    train_split: TokenDataset, dataset: Path, tmp_path: Path
) -> None:
    small_bundle(train_split).save(tmp_path / "bundle")
    other = MODEL.model_copy(update={"hidden": 16})
    with pytest.raises(Exception, match=r"model.hidden 8 against 16"):
        train(other, training(tmp_path / "bundle"), dataset, tmp_path / "run", Silent(), {})
    assert not (tmp_path / "run").exists()
