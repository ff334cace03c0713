from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from training.bundle.digests import read
from training.bundle.migrations import MIGRATIONS, NEWEST, migrated
from training.bundle.weights import architecture

STORED = sorted((Path(__file__).parent / "bundles").glob("config-*.json"))


def test_there_is_a_migration_from_every_older_version() -> None:
    assert sorted(MIGRATIONS) == list(range(1, NEWEST))


def test_a_configuration_of_every_older_version_is_kept_with_the_tests() -> None:
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


def test_a_model_of_format_1_means_what_it_meant() -> None:
    opened = read(STORED[0].read_bytes(), "config.json", ["model.safetensors", "tokenizer.json"])
    config = architecture(opened.config["model"], "config.json")
    assert (opened.files, opened.digest) == (None, None)
    assert (config.kind, config.hidden, config.stem_stride, config.frames, config.absolute_positions) == (
        "lstm",
        8,
        2,
        1,
        False,
    )
