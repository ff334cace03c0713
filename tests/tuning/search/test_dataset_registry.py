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


def never() -> Any:
    raise AssertionError("nothing is to be built")


@pytest.fixture
def base(genome: GenomeFiles) -> dict[str, Any]:
    # As an experiment is resolved: with every key of its tokenizer.
    tokenizer = {"k": 6, "stride": 3, "tail": "anchor", "vocabulary": "complete", "min_count": 1}
    return {"sources": [genome.source()], "tokenizer": tokenizer, "model": {"kind": "lstm"}}


def there(base: dict[str, Any], tokenizer: dict[str, Any], output: Path, silent: Silent) -> str:
    """A finished dataset with these tokens, as an earlier run left it; its fingerprint."""
    config = validate(DatasetConfig, {"sources": base["sources"], "tokenizer": tokenizer}, "test")
    identity = pipeline.prepare(config, silent).fingerprint
    folder = output / DATASETS / identity[:12]
    folder.mkdir(parents=True)
    manifest = {"format": "raygene-dataset", "format_version": schema.FORMAT_VERSION, "fingerprint": identity}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return identity


def test_every_configuration_has_its_dataset_also_where_a_dataset_key_waits_for_one_of_the_model(
    base: dict[str, Any], tmp_path: Path, silent: Silent
) -> None:
    searched = {
        "model.kind": Domain(grid=["lstm", "gru"]),
        "tokenizer.k": Domain(choice=[3, 4], when={"model.kind": "gru"}),
    }
    wanted = {k: there(base, base["tokenizer"] | {"k": k}, tmp_path, silent) for k in (3, 4, 6)}
    found = dataset_registry.made(base, searched, tmp_path, never, silent)
    assert found({"model.kind": "lstm"}).fingerprint == wanted[6]
    for k in (3, 4):
        assert found({"model.kind": "gru", "tokenizer.k": k}).fingerprint == wanted[k]
    assert all(found(one).path.exists() for one in space.all_of(searched, base))


def test_a_tokenizer_from_elsewhere_stands_in_the_place_of_the_experiments(
    base: dict[str, Any], tmp_path: Path, silent: Silent
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Tokenizer.from_config(TokenizerConfig(k=4, stride=2)).save(other)
    wanted = there(base, {"from": str(other)}, tmp_path, silent)
    found = dataset_registry.made(base, {"tokenizer.from": Domain(grid=[str(other)])}, tmp_path, never, silent)
    assert found({"tokenizer.from": str(other)}).fingerprint == wanted


def test_a_dataset_that_is_given_leaves_nothing_to_search_of_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tokenizer\.k needs a dataset for every value"):
        dataset_registry.given(tmp_path, {"tokenizer.k": Domain(grid=[3, 4])})


def test_more_datasets_than_anyone_wants_are_not_begun(base: dict[str, Any], tmp_path: Path, silent: Silent) -> None:
    searched = {"split.seed": Domain(int=(0, 64))}
    with pytest.raises(UsageError, match="more than 64 datasets to build"):
        dataset_registry.made(base, searched, tmp_path, never, silent)
    assert list(tmp_path.iterdir()) == []
