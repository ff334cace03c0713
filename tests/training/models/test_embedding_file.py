from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipelines.config import TokenizerConfig
from pipelines.errors import BundleError, DatasetError
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import PAD
from training import models
from training.bundle.description import describe
from training.config import ModelConfig
from training.models import embedding_file

CREATED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TOKENIZER = Tokenizer(3, 1, "anchor")


def vectors(tokenizer: Tokenizer = TOKENIZER, size: int = 8) -> torch.Tensor:
    return torch.randn(tokenizer.vocabulary_size, size, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return embedding_file.save(vectors(), TOKENIZER, 0.41234, CREATED, tmp_path)


def test_the_name_has_dimension_vocabulary_accuracy_and_time(saved: Path) -> None:
    assert saved.name == "embed-8-67-0.4123-20260304T050607Z-checkpoint.safetensors"
    elsewhere = CREATED.astimezone(timezone(timedelta(hours=9)))
    assert embedding_file.name_of(8, 67, 0.41234, elsewhere) == saved.name


def test_vectors_come_back_with_a_zero_for_padding(saved: Path) -> None:
    loaded = embedding_file.load(saved, TOKENIZER, 8)
    assert torch.equal(loaded[PAD + 1 :], vectors()[PAD + 1 :])
    assert (loaded[PAD] == 0).all()


@pytest.mark.parametrize(
    "tokenizer",
    [
        TOKENIZER,
        Tokenizer(4, 3, "partial"),
        TOKENIZER.restrict_to_observed(np.arange(TOKENIZER.vocabulary_size) % 2, 1),
    ],
)
def test_the_tokenizer_travels_in_the_file_and_builds_can_take_it(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = embedding_file.save(vectors(tokenizer), tokenizer, 0.5, CREATED, tmp_path)
    assert Tokenizer.load(path) == tokenizer
    assert Tokenizer.from_config(TokenizerConfig.model_validate({"from": str(path)})) == tokenizer
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["tokenizer"])["vocabulary"] == tokenizer.vocabulary
        assert file.metadata()["tokenizer_fingerprint"] == tokenizer.fingerprint


def test_another_tokenizer_is_refused_with_both_fingerprints_and_what_differs(saved: Path) -> None:
    other = Tokenizer(3, 2, "drop")
    with pytest.raises(BundleError) as caught:
        embedding_file.load(saved, other, 8)
    for part in (TOKENIZER.fingerprint[:12], other.fingerprint[:12], "stride 1 against 2, tail anchor against drop"):
        assert part in str(caught.value)
    observed = TOKENIZER.restrict_to_observed(np.arange(TOKENIZER.vocabulary_size) % 2, 1)
    with pytest.raises(BundleError, match="file against data: the vocabulary"):
        embedding_file.load(saved, observed, 8)


def test_another_dimension_is_refused_with_both(saved: Path) -> None:
    with pytest.raises(BundleError, match=r"vectors of 8 numbers, but model.embedding is 16: set model.embedding to 8"):
        embedding_file.load(saved, TOKENIZER, 16)


def test_vectors_that_do_not_fit_the_tokenizer_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"shape \(3, 8\) do not fit a tokenizer of 67 ids"):
        embedding_file.save(torch.zeros(3, 8), TOKENIZER, 0.5, CREATED, tmp_path)
    assert list(tmp_path.iterdir()) == []


def rewritten(saved: Path, tensor: torch.Tensor | None = None, **changed: str) -> Path:
    """The file with another tensor or other metadata, as format 1 had it: without a digest."""
    with safe_open(saved, framework="pt") as file:
        metadata, tensors = dict(file.metadata()), {"embedding.weight": file.get_tensor("embedding.weight")}
    if tensor is not None:
        tensors = {"embedding.weight": tensor}
    metadata = {name: value for name, value in metadata.items() if name != "digest"} | {"format_version": "1"}
    save_file(tensors, saved, metadata | changed)
    return saved


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": "other"}, "not a raygene embedding file"),
        ({"format_version": "9"}, "embedding format 9 is newer than the known 2: update raygene"),
        ({"format_version": "two"}, "format_version 'two' is not a version"),
        ({"format_version": "2"}, "digest: missing"),
        ({"format_version": "2", "digest": "0" * 64}, "changed since it was written: its digest differs"),
        ({"tokenizer": "{}"}, "not a raygene tokenizer"),
        ({"tokenizer": "no JSON"}, "cannot be read"),
        ({"tokenizer": "[" * 100_000}, "cannot be read"),
        ({"tokenizer": Tokenizer(4, 1, "anchor").json}, "its tokenizer is not the one that its fingerprint names"),
    ],
)
def test_incomplete_metadata_is_refused(saved: Path, changed: dict[str, str], message: str) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        embedding_file.load(rewritten(saved, **changed), TOKENIZER, 8)
    assert "\n" not in str(caught.value)


def test_a_file_of_format_1_is_read_without_a_digest(saved: Path) -> None:
    loaded = embedding_file.load(rewritten(saved), TOKENIZER, 8)
    assert torch.equal(loaded[PAD + 1 :], vectors()[PAD + 1 :])


@pytest.mark.parametrize(
    "wrong", [torch.zeros(66, 8), torch.zeros(67), torch.zeros(67, 8).half(), torch.zeros(67, 8, 1)]
)
def test_vectors_that_are_not_one_for_each_id_are_refused(saved: Path, wrong: torch.Tensor) -> None:
    with pytest.raises(BundleError, match="no vector of float32 for each of 67 ids"):
        embedding_file.load(rewritten(saved, wrong), TOKENIZER, 8)


def test_vectors_that_are_not_finite_are_refused(saved: Path) -> None:
    with pytest.raises(BundleError, match=r"embedding.weight holds values that are not finite"):
        embedding_file.load(rewritten(saved, torch.full((67, 8), torch.nan)), TOKENIZER, 8)


def test_every_flipped_bit_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for at in [*range(64), *range(64, len(content) * 8, 29)]:
        flipped = bytearray(content)
        flipped[at // 8] ^= 1 << at % 8
        saved.write_bytes(flipped)
        with pytest.raises(BundleError):
            embedding_file.load(saved, TOKENIZER, 8)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("exploded"),)  # type: ignore[return-value]


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(Bomb(), tmp_path / "bomb.safetensors")
    with pytest.raises(BundleError, match=r"bomb.safetensors: cannot be read"):
        embedding_file.load(tmp_path / "bomb.safetensors", TOKENIZER, 8)
    with pytest.raises(DatasetError, match="cannot be read"):
        Tokenizer.load(tmp_path / "bomb.safetensors")
    assert not Path("exploded").exists()


def test_a_missing_file_is_an_error_that_names_its_key(tmp_path: Path) -> None:
    config = ModelConfig(embedding=8, embedding_file=str(tmp_path / "none.safetensors"))
    with pytest.raises(BundleError, match=r"no such embedding file: correct model.embedding_file"):
        models.fresh(config, TOKENIZER, 0)
    with pytest.raises(BundleError, match=r"model.embedding_file: .*none.safetensors: No such file"):
        embedding_file.identity(config)


def test_a_fresh_model_starts_from_the_file_and_is_otherwise_the_same(saved: Path) -> None:
    random_weights = models.fresh(ModelConfig(embedding=8), TOKENIZER, 0).state_dict()
    weights = models.fresh(ModelConfig(embedding=8, embedding_file=str(saved)), TOKENIZER, 0).state_dict()
    assert torch.equal(weights["embedding.weight"], embedding_file.load(saved, TOKENIZER, 8))
    assert all(
        torch.equal(random_weights[name], weights[name]) for name in random_weights if name != "embedding.weight"
    )


def test_a_model_is_known_by_the_files_content_and_not_by_its_path(saved: Path, tmp_path: Path) -> None:
    def identity(path: Path | None) -> dict[str, object]:
        return embedding_file.identity(ModelConfig(embedding=8, embedding_file=str(path) if path else None))

    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(saved.read_bytes())
    other = embedding_file.save(vectors() + 1, TOKENIZER, 0.7, CREATED, tmp_path)
    assert identity(saved) == identity(copy)
    assert identity(saved) != identity(other)
    assert identity(None) == ModelConfig(embedding=8).architecture()
    assert str(tmp_path) not in json.dumps(identity(saved))


def test_a_bundle_does_not_name_the_file(saved: Path) -> None:
    manifest = {"tokenizer": {}, "fingerprint": "", "config": {"sources": []}, "longest": {}}
    config = ModelConfig(embedding=8, embedding_file=str(saved))
    assert "embedding_file" not in describe(config, {}, manifest, {}, 0.5, {})["model"]
