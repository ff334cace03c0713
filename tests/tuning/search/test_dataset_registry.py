from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines import schema
from pipelines.build import pipeline
from pipelines.config import DatasetConfig, TokenizerConfig, validate
from pipelines.errors import UsageError
from pipelines.progress import Silent
from pipelines.tokens.tokenizer import Tokenizer
from tests.conftest import GenomeFiles
from tuning.config import Domain
from tuning.search import dataset_registry, space
from tuning.search.dataset_registry import DATASETS


def never_connect() -> Any:
    raise AssertionError("there is nothing to build")


@pytest.fixture
def base(genome: GenomeFiles) -> dict[str, Any]:
    # As an experiment is resolved: with every key of its tokenizer.
    tokenizer = {"k": 6, "stride": 3, "tail": "anchor", "vocabulary": "complete", "min_count": 1}
    return {"sources": [genome.source()], "tokenizer": tokenizer, "model": {"kind": "lstm"}}


def write_finished_dataset(base: dict[str, Any], tokenizer: dict[str, Any], output: Path, silent: Silent) -> str:
    """A finished dataset with these tokens, as an earlier run left it; its fingerprint."""
    config = validate(DatasetConfig, {"sources": base["sources"], "tokenizer": tokenizer}, "test")
    identity = pipeline.prepare(config, silent).fingerprint
    folder = output / DATASETS / identity[:12]
    folder.mkdir(parents=True)
    manifest = {"format": "raygene-dataset", "format_version": schema.FORMAT_VERSION, "fingerprint": identity}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return identity


def test_each_configuration_has_a_dataset_also_where_a_dataset_key_depends_on_a_key_of_the_model(
    base: dict[str, Any], tmp_path: Path, silent: Silent
) -> None:
    search_space = {
        "model.kind": Domain(grid=["lstm", "gru"]),
        "tokenizer.k": Domain(choice=[3, 4], when={"model.kind": "gru"}),
    }
    expected = {k: write_finished_dataset(base, base["tokenizer"] | {"k": k}, tmp_path, silent) for k in (3, 4, 6)}
    registry = dataset_registry.build_all(base, search_space, tmp_path, never_connect, silent)
    assert registry.dataset_of({"model.kind": "lstm"}).fingerprint == expected[6]
    for k in (3, 4):
        assert registry.dataset_of({"model.kind": "gru", "tokenizer.k": k}).fingerprint == expected[k]
    assert all(
        registry.dataset_of(parameters).location.exists() for parameters in space.all_configurations(search_space, base)
    )


def test_a_tokenizer_from_elsewhere_replaces_that_of_the_experiment(
    base: dict[str, Any], tmp_path: Path, silent: Silent
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Tokenizer.from_config(TokenizerConfig(k=4, stride=2)).save(other)
    expected = write_finished_dataset(base, {"from": str(other)}, tmp_path, silent)
    registry = dataset_registry.build_all(
        base, {"tokenizer.from": Domain(grid=[str(other)])}, tmp_path, never_connect, silent
    )
    assert registry.dataset_of({"tokenizer.from": str(other)}).fingerprint == expected


def test_keys_that_need_several_datasets_are_refused_for_an_existing_dataset(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tokenizer\.k needs a dataset for every value"):
        dataset_registry.use_existing(tmp_path, {"tokenizer.k": Domain(grid=[3, 4])})


def test_more_datasets_than_the_limit_are_refused_before_any_is_built(
    base: dict[str, Any], tmp_path: Path, silent: Silent
) -> None:
    search_space = {"split.seed": Domain(int=(0, 64))}
    with pytest.raises(UsageError, match="more than 64 datasets to build"):
        dataset_registry.build_all(base, search_space, tmp_path, never_connect, silent)
    assert list(tmp_path.iterdir()) == []
