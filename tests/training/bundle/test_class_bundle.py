"""Bundles of models of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError
from tests.training.small_bundle import MODEL, config_of, small_bundle, small_class_bundle, with_new_digests
from training import networks
from training.bundle import bundle, start
from training.bundle.bundle import Bundle
from training.config import TrainingConfig
from training.engine.optimization.layers import is_of_head
from training.tasks import RECOGNISE, Task

CLASSES = ("10", "exon", "intron")


@pytest.fixture(scope="module")
def train(class_dataset: Path) -> TokenDataset:
    return TokenDataset.open(class_dataset, "train")


@pytest.fixture(scope="module")
def saved(train: TokenDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "bundle"
    small_class_bundle(train).save(path)
    return path


def test_a_loaded_bundle_gives_a_probability_of_each_class(saved: Path) -> None:
    loaded = bundle.load(saved)
    assert loaded.task == Task("classify", classes=CLASSES)
    assert loaded.config["classes"] == list(CLASSES)
    shares = loaded.score(["ACGTACGT", "TTTTT", "A"])
    assert shares.shape == (3, 3)
    assert np.allclose(shares.sum(1), 1)
    assert loaded.score([]).shape == (0, 3)


def test_earlier_versions_say_that_the_bundle_is_newer(saved: Path) -> None:
    assert config_of(saved)["format_version"] == 4
    assert config_of(saved)["model"]["outputs"] == 3


def test_verbs_of_genes_refuse_it_in_a_line(saved: Path) -> None:
    with pytest.raises(BundleError, match="gives the classes of sequences, which is another task"):
        bundle.load(saved).require_task(RECOGNISE, "run/bundle")


@pytest.mark.parametrize(
    "names", [["a", "b"], ["a", "b", "a"], ["a", "b", "a", "c"], ["a", "b", ""], "abc", [1, 2, 3], [[], {}, None]]
)
def test_names_that_are_not_one_for_each_output_are_damage(train: TokenDataset, tmp_path: Path, names: Any) -> None:
    small_class_bundle(train).save(tmp_path / "bundle")
    with_new_digests(tmp_path / "bundle", lambda config: config.update(classes=names))
    with pytest.raises(BundleError, match=r"classes: (not|a name)"):
        bundle.load(tmp_path / "bundle")


@pytest.mark.parametrize("task", [[], {}, None, "other"])
def test_a_task_that_is_none_is_refused(train: TokenDataset, tmp_path: Path, task: Any) -> None:
    small_class_bundle(train).save(tmp_path / "bundle")
    with_new_digests(tmp_path / "bundle", lambda config: config.update(task=task))
    with pytest.raises(BundleError, match=r"task .*: unknown"):
        bundle.load(tmp_path / "bundle")


def test_the_card_has_rules_counts_and_rates_of_classes(saved: Path) -> None:
    card = (saved / "README.md").read_text()
    assert "| split | 10 | exon | intron | files |" in card
    assert "\n..." not in card
    assert "| rule: 5-mer logistic regression | 0.8000 |" in card
    assert "| exon | 1 | 8 | 1 | 0.800 | 0.800 | 0.800 |" in card


def training(path: Path, **keys: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"start_from": str(path), "seed": 7, **keys})


def test_a_model_of_genes_can_be_trained_on_classes_with_a_new_head(
    train: TokenDataset, train_split: TokenDataset, tmp_path: Path
) -> None:
    small_bundle(train_split).save(tmp_path / "genes")
    task = Task.of_dataset(train.manifest["config"])
    model = task.model(MODEL)
    with pytest.raises(BundleError, match=r"or set training\.head to new"):
        start.source(model, training(tmp_path / "genes"), task, train.tokenizer)
    drawn = networks.fresh(task, model, train.tokenizer, 7).state_dict()
    stored = bundle.load(tmp_path / "genes").model.state_dict()
    network = start.network(task, model, training(tmp_path / "genes", head="new"), train.tokenizer)
    for name, tensor in network.state_dict().items():
        assert tensor.equal(drawn[name] if is_of_head(name) else stored[name])


def test_a_kept_head_needs_the_same_classes(train: TokenDataset, saved: Path) -> None:
    task = Task("classify", classes=("10", "exon", "other"))
    with pytest.raises(BundleError, match=r"its classes are 10, exon, intron, and the dataset's are 10, exon, other"):
        start.source(task.model(MODEL), training(saved), task, train.tokenizer)
    own = Task("classify", classes=CLASSES)
    assert isinstance(start.source(own.model(MODEL), training(saved), own, train.tokenizer), Bundle)
