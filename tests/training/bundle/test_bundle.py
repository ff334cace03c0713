from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import training
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import BundleError
from pipelines.tokens.tokenizer import Tokenizer
from tests.hypothesis_profiles import examples
from tests.training.small_bundle import config_of, small_bundle, with_new_digests
from training.bundle.bundle import Bundle
from training.bundle.migrations import NEWEST
from training.config import ModelConfig
from training.data.batch import collate

ROOT = Path(__file__).parents[3]
FILES = ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
READ = [name for name in FILES if name != "README.md"]
OLD = Path(__file__).parent / "bundles" / "config-1.json"


@pytest.fixture
def bundle(train_split: TokenDataset) -> Bundle:
    return small_bundle(train_split)


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "bundle")
    return tmp_path / "bundle"


def refusal(saved: Path) -> str:
    """The error of loading, which is always one line."""
    with pytest.raises(BundleError) as caught:
        training.load(saved)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def aged(saved: Path) -> Path:
    """The same bundle with a configuration of format 1."""
    (saved / "config.json").write_text(OLD.read_text())
    return saved


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


def test_the_same_bundle_is_the_same_bytes(bundle: Bundle, saved: Path, tmp_path: Path) -> None:
    training.load(saved).save(tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_the_fingerprint_is_the_digest_before_and_after_saving(bundle: Bundle, saved: Path) -> None:
    assert bundle.fingerprint == config_of(saved)["digest"] == training.load(saved).fingerprint
    other = Bundle(bundle.model, bundle.tokenizer, bundle.config | {"threshold": 0.9})
    assert other.fingerprint != bundle.fingerprint
    with torch.no_grad():
        bundle.model.get_parameter("embedding.weight").add_(1)
    assert bundle.fingerprint != config_of(saved)["digest"]


def test_three_lines_load_a_bundle_and_predict_is_imported_where_ray_cannot_be(saved: Path) -> None:
    code = f"""
import sys
sys.modules["ray"] = None
import training
bundle = training.load({str(saved)!r})
bundle.model, bundle.tokenizer, bundle.config
import training.inference.predict
try:
    import ray
except ImportError:
    print(bundle.fingerprint)
"""
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed.strip() == config_of(saved)["digest"]


def test_loading_leaves_torchs_random_state_alone(saved: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    training.load(saved)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("name", READ)
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    assert name in refusal(saved)


@pytest.mark.parametrize("name", READ)
def test_a_file_cut_short_is_refused_in_one_line(saved: Path, name: str) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: len(content) // 2])
    assert name in refusal(saved)


@examples(150, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(["model.safetensors", "tokenizer.json"]), position=st.floats(0, 1, exclude_max=True))
def test_any_flipped_bit_of_weights_or_tokenizer_is_refused_by_the_name_of_the_file(
    saved: Path, name: str, position: float
) -> None:
    content = (saved / name).read_bytes()
    at = int(position * len(content) * 8)
    flipped = bytearray(content)
    flipped[at // 8] ^= 1 << at % 8
    (saved / name).write_bytes(flipped)
    try:
        assert name in refusal(saved)
    finally:
        (saved / name).write_bytes(content)


@examples(100, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, 8 * 1800))
def test_a_flipped_bit_that_no_digest_covers_is_a_refusal_or_a_model_and_nothing_else(saved: Path, at: int) -> None:
    """Format 1 has no digests: the checks behind them stand alone."""
    content = (aged(saved) / "model.safetensors").read_bytes()
    flipped = bytearray(content)
    flipped[at // 8] ^= 1 << at % 8
    (saved / "model.safetensors").write_bytes(flipped)
    message = "model.safetensors"
    try:
        training.load(saved)
    except BundleError as error:
        message = str(error)
    (saved / "model.safetensors").write_bytes(content)
    assert "model.safetensors" in message


def test_the_readme_may_be_edited(bundle: Bundle, saved: Path) -> None:
    (saved / "README.md").write_text("license: mit")
    assert training.load(saved).fingerprint == bundle.fingerprint


class Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("name", READ)
def test_a_pickle_in_the_place_of_any_file_is_refused_and_not_executed(saved: Path, name: str, tmp_path: Path) -> None:
    torch.save(Bomb(tmp_path / "exploded"), saved / name)
    if name != "config.json":
        with_new_digests(saved)
    assert name in refusal(saved)
    assert not (tmp_path / "exploded").exists()


def test_a_bundle_of_format_1_is_loaded_and_saved_as_one_of_today(saved: Path, tmp_path: Path) -> None:
    old = training.load(aged(saved))
    assert (old.config["format_version"], old.config["run"], old.config["threshold"]) == (NEWEST, "r1", 0.4)
    old.save(tmp_path / "new")
    assert training.load(tmp_path / "new").fingerprint == old.fingerprint
    assert config_of(tmp_path / "new")["format_version"] == NEWEST


def test_the_fingerprint_of_a_bundle_of_format_1_depends_on_its_weights(saved: Path) -> None:
    before = training.load(aged(saved)).fingerprint
    tensors = load_file(saved / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, saved / "model.safetensors")
    assert training.load(saved).fingerprint != before


def test_another_tokenizer_json_is_refused_with_both_fingerprints(saved: Path, bundle: Bundle) -> None:
    other = Tokenizer(3, 2, "anchor")
    other.save(saved)
    message = refusal(saved)
    assert other.fingerprint[:12] in message
    assert bundle.tokenizer.fingerprint[:12] in message


def test_data_of_another_tokenizer_are_refused_with_what_differs(bundle: Bundle) -> None:
    other = Tokenizer(3, 2, "drop")
    with pytest.raises(BundleError, match="stride 1 against 2, tail anchor against drop") as caught:
        bundle.require_tokenizer(other, "dataset X")
    assert other.fingerprint[:12] in str(caught.value)
    assert bundle.tokenizer.fingerprint[:12] in str(caught.value)


def test_data_of_the_same_tokenizer_are_accepted(bundle: Bundle) -> None:
    bundle.require_tokenizer(Tokenizer(3, 1, "anchor"), "dataset X")


def test_a_model_of_another_size_than_its_weights_is_refused_by_the_weight(saved: Path) -> None:
    other = ModelConfig(embedding=8, hidden=16, stem=8).architecture()
    message = refusal(with_new_digests(saved, lambda config: config.update(model=other)))
    assert (
        "model.safetensors: body.layers.0.ahead.weight_ih_l0 is F32 of shape (32, 8), not F32 of shape (64, 8)"
        in message
    )


def test_a_model_too_large_for_any_memory_is_refused_before_it_is_made(saved: Path) -> None:
    huge = ModelConfig(embedding=1024, hidden=4096, stem=1024, layers=48).architecture()
    assert "body.layers.1.ahead.bias_hh_l0 is missing" in refusal(
        with_new_digests(saved, lambda config: config.update(model=huge))
    )


def test_a_key_of_the_model_that_is_not_known_asks_for_a_newer_raygene(saved: Path) -> None:
    assert "config.json: model.depth: unknown key: update raygene" in refusal(
        with_new_digests(saved, lambda config: config["model"].update(depth=3))
    )
    assert "config.json: model.hidden: " in refusal(
        with_new_digests(saved, lambda config: config.update(model={"hidden": 10**9}))
    )


def test_unknown_keys_elsewhere_are_kept(saved: Path, tmp_path: Path) -> None:
    with_new_digests(saved, lambda config: config.update(later={"a": 1}))
    training.load(saved).save(tmp_path / "again")
    assert training.load(tmp_path / "again").config["later"] == {"a": 1}


def test_an_address_given_as_a_path_is_an_error_that_says_so() -> None:
    assert "give an address as text" in refusal(Path("s3://bucket/run/bundle"))


def test_a_directory_in_the_place_of_a_file_is_refused(saved: Path) -> None:
    (saved / "config.json").unlink()
    (saved / "config.json").mkdir()
    assert "config.json: cannot be read" in refusal(saved)
    shutil.rmtree(saved / "config.json")
    assert "no model bundle there (no config.json): name a directory RUN/bundle" in refusal(saved)
