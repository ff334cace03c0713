from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import training
from pipelines import fingerprint
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.tokens.tokenizer import Tokenizer
from training import models
from training.bundle import digests
from training.bundle.bundle import DIGESTED_FILES
from training.bundle.digests import read
from training.bundle.migrations import MIGRATIONS, NEWEST, migrated
from training.bundle.weights import architecture
from training.data.batch import collate

STORED = sorted((Path(__file__).parent / "bundles").glob("config-*.json"))


def test_there_is_a_migration_from_every_older_version() -> None:
    assert sorted(MIGRATIONS) == list(range(1, NEWEST))


def test_a_configuration_of_every_older_version_is_stored_with_the_tests() -> None:
    assert [path.name for path in STORED] == [f"config-{version}.json" for version in range(1, NEWEST)]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_an_old_configuration_becomes_one_of_today_and_is_itself_unchanged(path: Path) -> None:
    old = json.loads(path.read_text())
    before = copy.deepcopy(old)
    new = migrated(old)
    assert new["format_version"] == NEWEST
    assert old == before
    assert migrated(new) == new
    for key in ("threshold", "genomes", "tokenizer", "metrics", "run"):
        assert new[key] == old[key]


def test_a_model_of_format_1_has_the_same_architecture() -> None:
    stored = read(STORED[0].read_bytes(), "config.json", ["model.safetensors", "tokenizer.json"])
    config = architecture(stored.config["model"], "config.json")
    assert (stored.files, stored.digest) == (None, None)
    assert (config.kind, config.hidden, config.stem_stride, config.frames, config.absolute_positions) == (
        "lstm",
        8,
        2,
        1,
        False,
    )


def test_version_3_renames_keys_and_changes_no_value() -> None:
    old = json.loads(STORED[1].read_text())
    new = migrated(old)
    assert new["model"]["absolute_positions"] is old["model"]["place"] is False
    assert new["training"]["global_batch_size"] == old["training"]["batch"] == 16
    assert new["training"]["max_grad_norm"] == old["training"]["clip"] == 1.0
    assert new["dataset"]["leakage"]["evaluated"] == old["dataset"]["leakage"]["judged"] == 580
    assert not {"place"} & set(new["model"])
    assert not {"batch", "clip"} & set(new["training"])
    assert "judged" not in new["dataset"]["leakage"]
    for section in ("model", "training"):
        assert list(new[section].values()) == list(old[section].values())


@pytest.mark.parametrize("section", ["model", "training", "dataset"])
def test_a_section_that_is_none_is_left_for_the_reader_to_refuse(section: str) -> None:
    old = json.loads(STORED[1].read_text()) | {section: 3}
    assert migrated(old)[section] == 3


def with_weights(path: Path, folder: Path) -> Path:
    """A bundle with a stored configuration, and weights and a tokenizer of its sizes; digests fit as they did then."""
    old = json.loads(path.read_text())
    folder.mkdir()
    Tokenizer(3, 1, "anchor").save(folder)
    network = models.fresh(architecture(migrated(old)["model"], path.name), Tokenizer(3, 1, "anchor"), 7)
    save_file(network.state_dict(), folder / "model.safetensors")
    if old["format_version"] > 1:
        old["files"] = digests.entries_of_files(folder, DIGESTED_FILES, "old")
        del old["digest"]
        old["digest"] = fingerprint.of_value(old)
    (folder / "config.json").write_text(json.dumps(old))
    return folder


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_bundle_of_every_older_version_loads_and_computes_what_its_weights_say(
    path: Path, tmp_path: Path, train_split: TokenDataset
) -> None:
    folder = with_weights(path, tmp_path / "old")
    bundle = training.load(folder)
    expected = models.fresh(architecture(bundle.config["model"], path.name), bundle.tokenizer, 7).eval()
    batch = collate(train_split.tokens, train_split.offsets, train_split.labels, np.arange(8))
    assert torch.equal(bundle.model(batch), expected(batch))
    if (digest := json.loads((folder / "config.json").read_text()).get("digest")) is not None:
        assert bundle.fingerprint == digest


def test_a_bundle_of_version_2_is_saved_as_one_of_today_whose_card_has_the_new_names(tmp_path: Path) -> None:
    bundle = training.load(with_weights(STORED[1], tmp_path / "old"))
    bundle.save(tmp_path / "new")
    assert training.load(tmp_path / "new").config == bundle.config
    card = (tmp_path / "new" / "README.md").read_text()
    assert "global_batch_size: 16" in card
    assert "max_grad_norm: 1.0" in card
    assert "absolute_positions: false" in card
    assert "36 of 580 intervals of test have a near-duplicate in train" in card
    assert not any(f" {old}:" in card or f"{{{old}:" in card for old in ("batch", "clip", "place"))
