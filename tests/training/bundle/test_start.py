from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError, UsageError
from pipelines.tokens.tokenizer import Tokenizer
from tests.training.conftest import write_dataset
from tests.training.small_bundle import MODEL, small_bundle, with_new_digests
from training import networks, structure
from training.bundle import bundle, card, included_models, start
from training.bundle.bundle import Bundle
from training.bundle.description import describe
from training.config import ModelConfig, TrainingConfig
from training.tasks import Task

RECOGNISE, STRUCTURE = Task(), Task("structure")
SMALL = ModelConfig(embedding=8, hidden=8, stem=18, stem_width=9, stem_stride=9, base_channels=8)


@pytest.fixture(scope="module")
def saved(train_split: TokenDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the small dataset's tokenizer."""
    path = tmp_path_factory.mktemp("start") / "bundle"
    small_bundle(train_split).save(path)
    return path


def training(path: Path | str, **keys: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"start_from": str(path), "seed": 7, **keys})


def structure_bundle(train_split: TokenDataset, path: Path, *, utr: bool = False) -> Path:
    """An untrained structure model of a tokenizer, saved."""
    manifest = train_split.manifest | {
        "config": train_split.manifest["config"]
        | {"task": "structure", "labels": {"utr": "keep" if utr else "intergenic"}, "window": {"length": 99}}
    }
    model = structure.fresh(SMALL, train_split.tokenizer, 0, utr=utr).eval()
    config = describe(SMALL, {"epochs": 3}, manifest, {"epoch": 1}, None, {"ray": "2"}, {})
    Bundle(model, train_split.tokenizer, config).save(path)
    return path


def test_a_kept_head_makes_the_same_model_and_a_new_head_is_that_of_the_seed(
    saved: Path, train_split: TokenDataset
) -> None:
    stored = bundle.load(saved).model.state_dict()
    drawn = networks.fresh(RECOGNISE, MODEL, train_split.tokenizer, 7).state_dict()
    for head, expected in (("keep", stored), ("new", drawn)):
        weights = start.network(RECOGNISE, MODEL, training(saved, head=head), train_split.tokenizer).state_dict()
        for name, tensor in weights.items():
            source = expected if name.startswith("head.") else stored
            assert torch.equal(tensor, source[name]), name
    assert not torch.equal(stored["head.weight"], drawn["head.weight"])


def test_every_network_of_several_starts_from_its_own_weights(train_split: TokenDataset, tmp_path: Path) -> None:
    several = MODEL.model_copy(update={"ensemble": 2})
    small_bundle(train_split, several).save(tmp_path / "bundle")
    stored = bundle.load(tmp_path / "bundle").model.state_dict()
    drawn = networks.fresh(RECOGNISE, several, train_split.tokenizer, 7).state_dict()
    config = training(tmp_path / "bundle", head="new")
    for name, tensor in start.network(RECOGNISE, several, config, train_split.tokenizer).state_dict().items():
        assert torch.equal(tensor, (drawn if ".head." in name else stored)[name]), name
    with pytest.raises(BundleError, match=r"model\.ensemble 2 against 1"):
        start.source(MODEL, config, RECOGNISE, train_split.tokenizer)


def test_without_a_bundle_the_model_is_drawn_as_before(train_split: TokenDataset) -> None:
    drawn = networks.fresh(RECOGNISE, MODEL, train_split.tokenizer, 7).state_dict()
    for name, tensor in (
        start.network(RECOGNISE, MODEL, TrainingConfig(seed=7), train_split.tokenizer).state_dict().items()
    ):
        assert torch.equal(tensor, drawn[name])


def test_dropout_may_differ_and_a_path_may_be_an_address(saved: Path, train_split: TokenDataset) -> None:
    other = MODEL.model_copy(update={"dropout": 0.5})
    network = start.network(RECOGNISE, other, training(saved.as_uri()), train_split.tokenizer)
    assert torch.equal(network.get_parameter("head.weight"), bundle.load(saved).model.get_parameter("head.weight"))


def test_another_tokenizer_is_refused_with_both_and_the_fix(saved: Path) -> None:
    with pytest.raises(
        BundleError, match=r"start_from .*bundle: its tokenizer .* is not the dataset's .*stride"
    ) as got:
        start.source(MODEL, training(saved), RECOGNISE, Tokenizer(3, 3, "anchor"))
    assert "build the dataset with tokenizer.from naming the bundle" in str(got.value)


def test_another_architecture_is_refused_with_the_keys_to_write(saved: Path, train_split: TokenDataset) -> None:
    other = MODEL.model_copy(update={"hidden": 16, "kind": "gru"})
    with pytest.raises(BundleError) as got:
        start.source(other, training(saved), RECOGNISE, train_split.tokenizer)
    assert "model.kind lstm against gru, model.hidden 8 against 16" in str(got.value)
    assert "write its values into the experiment: {model: {kind: lstm, hidden: 8}}" in str(got.value)


def fingerprint(model: ModelConfig, training: TrainingConfig, task: Task, tokenizer: Tokenizer) -> str:
    """Of the bundle that training starts from."""
    source = start.source(model, training, task, tokenizer)
    assert source is not None
    return source.fingerprint


def test_a_bundle_of_another_task_is_refused(saved: Path, train_split: TokenDataset) -> None:
    with pytest.raises(BundleError, match="a model of task recognise, and the dataset is one of task structure"):
        start.source(MODEL, training(saved), STRUCTURE, train_split.tokenizer)


def test_a_structure_model_starts_from_one_and_a_head_with_other_states_has_to_be_new(
    train_split: TokenDataset, tmp_path: Path
) -> None:
    path, tokenizer = structure_bundle(train_split, tmp_path / "bundle"), train_split.tokenizer
    stored = bundle.load(path)
    network = start.network(STRUCTURE, SMALL, training(path), tokenizer)
    assert all(torch.equal(tensor, stored.model.state_dict()[name]) for name, tensor in network.state_dict().items())
    with_utr = replace(STRUCTURE, utr=True)
    with pytest.raises(BundleError, match=r"dataset tells untranslated bases apart .* set training.head to new"):
        start.source(SMALL, training(path), with_utr, tokenizer)
    assert fingerprint(SMALL, training(path, head="new"), with_utr, tokenizer) == stored.fingerprint


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "head kept, body trained from the first epoch on, learning rate 0.001"),
        ({"head": "new"}, "head made anew, body trained"),
        ({"freeze_body": 2, "epochs": 5}, "body frozen for 2 of 5 epochs"),
        (
            {"freeze_body": 2, "epochs": 5, "freeze_embedding": 3},
            "2 of 5 epochs, token vectors frozen for 3 of 5 epochs",
        ),
        ({"freeze_embedding": -1}, "first epoch on, token vectors frozen, "),
        ({"freeze_body": -1}, "body frozen, which leaves 33 of "),
        ({"freeze_body": 5, "epochs": 5}, "body frozen, which leaves 33 of "),
        ({"layer_decay": 0.5}, "learning rate 0.001 at the head and 0.000125 at the first of 4 layers"),
    ],
)
def test_a_line_says_what_is_kept_frozen_and_trained_at_which_rate(
    saved: Path, keys: dict[str, Any], expected: str
) -> None:
    line = start.described(bundle.load(saved), training(saved, learning_rate=0.001, **keys))
    assert line.startswith(f"starting from {saved}, bundle {bundle.load(saved).fingerprint[:12]}, trained on toy: ")
    assert expected in line


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"head": "new"}, "training.head new: no bundle is named"),
        ({"freeze_body": 2}, "training.freeze_body 2: no bundle is named"),
        ({"layer_decay": 0.9}, "training.layer_decay 0.9: no bundle is named"),
    ],
)
def test_keys_without_a_bundle_are_refused(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=f"{problem}.*name one with --from"):
        start.require_keys(MODEL, TrainingConfig.model_validate(keys))


def test_an_embedding_file_and_a_bundle_are_not_both_a_start(saved: Path) -> None:
    model = MODEL.model_copy(update={"embedding_file": "vectors.safetensors"})
    with pytest.raises(
        UsageError, match=r"model.embedding_file .*: the token vectors are those of training.start_from"
    ):
        start.require_keys(model, training(saved))


def test_a_missing_bundle_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"training.start_from .*none: no model bundle there"):
        start.digest(training(tmp_path / "none"))


def test_the_digest_is_that_of_the_content_wherever_it_lies(saved: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(saved, tmp_path / "copy"))
    assert start.digest(TrainingConfig()) is None
    assert start.digest(training(saved)) == start.digest(training(copy)) == bundle.load(saved).fingerprint
    with_new_digests(copy, lambda config: config.update(genomes=["other"]))
    assert start.digest(training(copy)) != start.digest(training(saved))


def test_a_bundle_that_was_replaced_since_the_run_began_is_refused(saved: Path, train_split: TokenDataset) -> None:
    with pytest.raises(BundleError, match="was replaced while training"):
        start.network(RECOGNISE, MODEL, training(saved), train_split.tokenizer, "0" * 64)


def test_ancestors_are_a_chain_with_the_nearest_first_and_the_card_names_them(
    saved: Path, train_split: TokenDataset
) -> None:
    first = bundle.load(saved)
    child = replace(first, config=first.config | {"ancestors": start.ancestors(first)}, digest="c" * 64)
    chain = start.ancestors(child)
    assert [one["bundle"] for one in chain] == ["c" * 64, first.fingerprint]
    assert chain[0]["genomes"] == ["toy"]
    described = json.loads(json.dumps(small_bundle(train_split).config | {"ancestors": chain}))
    described["dataset"]["config"] |= {"negatives": {}, "split": {}}
    assert first.fingerprint in card.model_card(described)
    assert "its head was kept" in card.model_card(described)


def test_sequences_of_validation_and_test_that_an_ancestor_was_trained_on_are_found(saved: Path) -> None:
    first = bundle.load(saved)
    splits = {"train": {"names": ["toy:I", "toy:II"]}, "test": {"names": ["toy:III"]}}
    source = replace(first, config=first.config | {"dataset": first.config["dataset"] | {"splits": splits}})
    evaluated = {"splits": {"validation": {"names": ["toy:II"]}, "test": {"names": ["toy:IV"]}}, "fingerprint": "other"}
    assert start.seen_before(source, evaluated) == ["toy:II"]
    own = first.config["dataset"]["fingerprint"]
    assert start.seen_before(source, evaluated | {"fingerprint": own}) == []


def test_keys_of_a_start_stay_out_of_documents_at_their_defaults_and_its_path_always(saved: Path) -> None:
    document = TrainingConfig().document()
    assert not {"start_from", "head", "freeze_body", "layer_decay"} & set(document)
    changed = training(saved, freeze_body=2).document()
    assert changed["freeze_body"] == 2
    assert "start_from" not in changed


def test_the_dataset_of_another_folder_is_no_obstacle(saved: Path, tmp_path: Path) -> None:
    other = TokenDataset.open(write_dataset(tmp_path / "other", seed=5, rows=16), "train")
    assert fingerprint(MODEL, training(saved), RECOGNISE, other.tokenizer) == bundle.load(saved).fingerprint


def test_an_included_model_is_taken_by_its_name_whatever_the_current_folder_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "yeast").mkdir()
    monkeypatch.chdir(tmp_path)
    training = TrainingConfig(start_from="yeast")
    assert start.digest(training) == included_models.catalogue()["yeast"].to_json()["digest"]


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"or one of raygene models: {', '.join(included_models.catalogue())}"):
        start.digest(TrainingConfig(start_from=str(tmp_path / "yeest")))
