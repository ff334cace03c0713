from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import training
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError
from tests.training.gene_windows import MODEL, training_of, write_gene_windows
from tests.training.small_bundle import config_of, small_bundle, with_new_digests
from tests.training.small_structure import small_structure_bundle
from training import networks
from training.bundle.bundle import Bundle
from training.bundle.card import model_card
from training.bundle.description import describe, published
from training.decoding.settings import Settings
from training.engine.objectives.by_task import objective_of
from training.tasks import Task

RECORD = {
    "epoch": 2,
    "validation_exon_f1": 0.61,
    "validation_cds_f1": 0.92,
    "validation_accuracy": 0.97,
    "seconds": 1.0,
}


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> TokenDataset:
    return TokenDataset.open(write_gene_windows(tmp_path_factory.mktemp("windows"), bases=4_000), "train")


@pytest.fixture(scope="module")
def structure_bundle(train: TokenDataset) -> Bundle:
    task = Task.of_dataset(train.manifest["config"])
    decoding = Settings(genetic_code=1).model_dump(mode="json")
    config = describe(MODEL, published(training_of()), train.manifest, RECORD, None, {"ray": "2"}, decoding)
    config |= {"run": "r", "records": [RECORD], "decoded": {"bases": 4_000, "exon_f1": 0.7, "gene_f1": 0.5}}
    return Bundle(networks.fresh(task, MODEL, train.tokenizer, 0).eval(), train.tokenizer, config)


@pytest.fixture(scope="module")
def saved(structure_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "bundle"
    structure_bundle.save(path)
    return path


def test_a_loaded_bundle_gives_the_logits_of_the_saved_one(
    structure_bundle: Bundle, saved: Path, train: TokenDataset
) -> None:
    loaded = training.load(saved)
    batch = objective_of(training_of(), train).collate(train, 0, torch.arange(3).numpy())
    outputs, expected = loaded.model(batch), structure_bundle.model(batch)
    assert torch.equal(outputs.states, expected.states)
    assert torch.equal(outputs.sites, expected.sites)
    assert loaded.fingerprint == structure_bundle.fingerprint
    assert loaded.task == Task("structure")
    assert loaded.config["window"] == {"length": 500}
    assert Settings.from_document(loaded.config["decoding"]) == Settings(genetic_code=1)
    assert not {"threshold", "shortcuts"} & set(loaded.config)


def test_a_bundle_that_names_its_task_has_a_version_that_earlier_ones_refuse_and_others_keep_theirs(
    saved: Path, train_split: TokenDataset, tmp_path: Path
) -> None:
    assert config_of(saved)["format_version"] == 4
    small_bundle(train_split).save(tmp_path / "bundle")
    assert config_of(tmp_path / "bundle")["format_version"] == 3
    assert "task" not in config_of(tmp_path / "bundle")


def test_a_bundle_of_another_task_is_refused_with_the_verbs_that_use_it(
    structure_bundle: Bundle, train_split: TokenDataset
) -> None:
    with pytest.raises(BundleError, match="B: this model gives the structure of genes, which is another task"):
        structure_bundle.require_task("recognise", "B")
    with pytest.raises(BundleError, match="raygene scan, predict or evaluate"):
        small_bundle(train_split).require_task("structure", "B")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda config: config.pop("decoding"), "decoding: missing"),
        (lambda config: config.update(labels=["negative", "gene"]), "labels: not a table"),
        (lambda config: config.update(window={"length": "long"}), "window.length: not a number of bases"),
        (lambda config: config.update(task="folding"), "task 'folding': unknown: update raygene"),
    ],
)
def test_a_configuration_that_lacks_what_the_task_needs_is_refused(
    structure_bundle: Bundle, tmp_path: Path, change: Any, text: str
) -> None:
    structure_bundle.save(tmp_path / "bundle")
    with pytest.raises(BundleError, match=text):
        training.load(with_new_digests(tmp_path / "bundle", change))


def test_the_card_says_what_it_was_trained_on_and_how_good_it_is(saved: Path) -> None:
    card = (saved / "README.md").read_text()
    assert "pipeline_tag: token-classification" in card
    assert "value: 0.7" in card
    assert "| coding exons, both ends exact: F1 | 0.6100 |" in card
    assert "F1 of coding exons **0.7000**, of genes 0.5000" in card
    assert "in windows of 500 bases" in card
    assert "Genetic code: table 1 of NCBI" in card
    assert "Untranslated bases of exons count as intergenic." in card
    assert "raygene annotate RUN/bundle" in card
    assert "| train | 4,000 |" in card
    assert card == model_card(config_of(saved))


def test_the_card_of_several_genetic_codes_shows_that_one_is_to_be_chosen() -> None:
    card = model_card(small_structure_bundle(genetic_codes={"paramecium": 6, "yeast": 1}).config)
    assert "Genetic code: table 1, 6 of NCBI" in card
    assert "--output genes.gff3 --genetic-code NUMBER\n" in card
