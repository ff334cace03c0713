from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Silent
from tests.training.small_bundle import small_bundle, with_new_digests
from tests.tuning.conftest import BASE
from training import models
from training.bundle import bundle
from training.bundle.bundle import Bundle
from training.bundle.description import describe
from training.config import ModelConfig
from tuning import keys
from tuning.config import TuningConfig
from tuning.study import Study, tune


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


@pytest.mark.ray
@pytest.mark.full
def test_bundles_are_searched_one_that_does_not_fit_is_infeasible_and_the_best_names_its_start(
    make_study: Callable[..., Study], dataset: Path, ray_session: Any, silent: Silent, tmp_path: Path
) -> None:
    train = TokenDataset.open(dataset, "train")
    for name, hidden in (("fits", 8), ("larger", 16)):
        model = ModelConfig(**{**BASE["model"], "hidden": hidden})
        network = models.fresh(model, train.tokenizer, 0).eval()
        record = {"epoch": 3, "validation_auroc": 0.9, "validation_mcc": 0.7}
        config = describe(model, {"epochs": 3}, train.manifest, record, 0.4, {"ray": "2"})
        Bundle(network, train.tokenizer, config).save(tmp_path / name)
    base = {**BASE, "model": {**BASE["model"], "hidden": 8}}
    space = {"training.start_from": [str(tmp_path / "fits"), str(tmp_path / "larger")], "training.freeze_body": [1]}
    study = make_study(base, space=space, search="grid", scheduler="none")
    trials = tune(study, ray_session, silent)[0].trials
    assert sorted(trial.state for trial in trials) == ["finished", "infeasible"]
    assert any("another architecture" in trial.reason for trial in trials)
    best = bundle.load(study.output / "best" / "bundle").config
    assert [one["bundle"] for one in best["ancestors"]] == [bundle.load(tmp_path / "fits").fingerprint]
