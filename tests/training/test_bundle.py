from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import training
from pipelines.dataset import TokenDataset
from pipelines.errors import BundleError
from pipelines.tokenizer import Tokenizer
from training import models
from training.batch import collate
from training.bundle import Bundle
from training.config import ModelConfig
from training.description import describe

FILES = ["README.md", "config.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture
def bundle(train_split: TokenDataset) -> Bundle:
    config = ModelConfig(embedding=8, hidden=8, stem=8)
    model = models.make(config, train_split.tokenizer.vocabulary_size).eval()
    record = {"epoch": 3, "validation_auroc": 0.9, "validation_mcc": 0.7}
    described = describe(config, {"epochs": 3}, train_split.manifest, record, 0.4, {"ray": "2"})
    return Bundle(model, train_split.tokenizer, described)


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "bundle")
    return tmp_path / "bundle"


def put(path: Path, key: str, value: object) -> None:
    document = json.loads(path.read_text())
    document[key] = value
    path.write_text(json.dumps(document))


def test_a_loaded_bundle_gives_the_logits_of_the_saved_one(
    bundle: Bundle, saved: Path, train_split: TokenDataset
) -> None:
    batch = collate(train_split.tokens, train_split.offsets, train_split.labels, torch.arange(20).numpy())
    loaded = training.load(saved)
    assert torch.equal(loaded.model(batch), bundle.model(batch))
    assert loaded.tokenizer == bundle.tokenizer
    assert loaded.config == bundle.config


def test_a_bundle_is_four_files_and_none_is_a_pickle(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == FILES
    assert sorted(path.name for path in saved.parent.iterdir()) == ["bundle"]
    json.loads((saved / "config.json").read_text())


def test_saving_again_replaces_the_bundle(bundle: Bundle, saved: Path) -> None:
    Bundle(bundle.model, bundle.tokenizer, bundle.config | {"threshold": 0.9}).save(saved)
    assert training.load(saved).config["threshold"] == 0.9
    assert sorted(path.name for path in saved.parent.iterdir()) == ["bundle"]


def test_the_card_names_the_genomes_the_tokenizer_and_the_threshold(saved: Path) -> None:
    card = (saved / "README.md").read_text()
    assert "toy" in card
    assert "3-mers, stride 1" in card
    assert "0.4000" in card


@pytest.mark.parametrize("name", [name for name in FILES if name != "README.md"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(BundleError, match=name):
        training.load(saved)


@pytest.mark.parametrize("name", [name for name in FILES if name != "README.md"])
def test_a_file_cut_short_is_refused_in_one_line(saved: Path, name: str) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match=name) as caught:
        training.load(saved)
    assert "\n" not in str(caught.value)


def test_a_flipped_weight_size_is_refused(saved: Path) -> None:
    put(saved / "config.json", "model", ModelConfig(embedding=8, hidden=16, stem=8).model_dump())
    with pytest.raises(BundleError, match="cannot be loaded"):
        training.load(saved)


def test_a_newer_format_is_refused(saved: Path) -> None:
    put(saved / "config.json", "format_version", 2)
    with pytest.raises(BundleError, match="format 2 is not the known 1: update raygene"):
        training.load(saved)


def test_another_tokenizer_json_is_refused_with_both_fingerprints(saved: Path, bundle: Bundle) -> None:
    other = Tokenizer(3, 2, "anchor")
    other.save(saved)
    with pytest.raises(BundleError, match=f"{other.fingerprint[:12]}.*{bundle.tokenizer.fingerprint[:12]}"):
        training.load(saved)


def test_data_of_another_tokenizer_are_refused_with_what_differs(bundle: Bundle) -> None:
    other = Tokenizer(3, 2, "drop")
    with pytest.raises(BundleError, match="stride 1 against 2, tail anchor against drop") as caught:
        bundle.require_tokenizer(other, "dataset X")
    assert other.fingerprint[:12] in str(caught.value)
    assert bundle.tokenizer.fingerprint[:12] in str(caught.value)


def test_data_of_the_same_tokenizer_are_accepted(bundle: Bundle) -> None:
    bundle.require_tokenizer(Tokenizer(3, 1, "anchor"), "dataset X")


def test_a_config_whose_tokenizer_has_no_fingerprint_is_refused(saved: Path) -> None:
    put(saved / "config.json", "tokenizer", {})
    with pytest.raises(BundleError, match=r"tokenizer\.fingerprint: missing"):
        training.load(saved)


def test_importing_training_does_not_import_ray() -> None:
    code = "import sys, training, training.predict; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
