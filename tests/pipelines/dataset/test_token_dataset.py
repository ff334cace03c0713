from __future__ import annotations

import json
import logging
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import fingerprint, schema
from pipelines.dataset.token_dataset import TokenDataset, read_manifest
from pipelines.errors import DatasetError
from pipelines.tokens.tokenizer import Tokenizer

COUNTS = {"train": 7, "validation": 3, "test": 0}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small finished dataset: row n has n + 1 tokens, all of them n + 3; its test split is empty."""
    tokenizer = Tokenizer(3, 1, "anchor")
    files = []
    for split, rows in COUNTS.items():
        values = {
            "label": [row % 2 for row in range(rows)],
            "tokens": [[row + 3] * (row + 1) for row in range(rows)],
            "token_count": [row + 1 for row in range(rows)],
        }
        columns = {
            field.name: pa.array(values.get(field.name, [None] * rows), field.type)
            for field in schema.rows(pa.uint16())
        }
        path = tmp_path / "data" / f"split={split}" / "part-00000.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), path)
        listed = {"path": str(path.relative_to(tmp_path / "data")), "bytes": path.stat().st_size}
        files += [listed | {"sha256": fingerprint.of_file(path)}] if rows else []
    tokenizer.save(tmp_path / "data")
    manifest = {
        "format": "raygene-dataset",
        "format_version": schema.FORMAT_VERSION,
        "fingerprint": "f" * 64,
        "tokenizer": {"fingerprint": tokenizer.fingerprint},
        "files": files,
    }
    (tmp_path / "data" / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "data"


def test_rows_are_found_by_number(directory: Path) -> None:
    dataset = TokenDataset.open(directory, "train")
    assert len(dataset) == 7
    assert [dataset[row][0].tolist() for row in (6, 0)] == [[9] * 7, [3]]
    assert [dataset[row][1] for row in range(7)] == [0, 1, 0, 1, 0, 1, 0]
    with pytest.raises(IndexError):
        dataset[7]


def test_offsets_count_in_64_bits(directory: Path) -> None:
    assert TokenDataset.open(directory, "train").offsets.dtype == np.int64


def test_a_path_may_be_text(directory: Path) -> None:
    assert len(TokenDataset.open(str(directory), "validation")) == 3


def test_an_empty_split_and_an_unknown_one_are_told(directory: Path) -> None:
    with pytest.raises(DatasetError, match="split test has no rows"):
        TokenDataset.open(directory, "test")
    with pytest.raises(DatasetError, match="no split 'tests'"):
        TokenDataset.open(directory, "tests")


@pytest.mark.parametrize("cached", [False, True])
def test_a_missing_or_shortened_file_is_told_even_when_its_rows_are_cached(directory: Path, cached: bool) -> None:
    if cached:
        TokenDataset.open(directory, "train")
    part = directory / "split=train" / "part-00000.parquet"
    with part.open("r+b") as stream:
        stream.truncate(100)
    with pytest.raises(DatasetError, match="100 bytes long, not the manifest's"):
        TokenDataset.open(directory, "train")
    part.unlink()
    with pytest.raises(DatasetError, match="No such file"):
        TokenDataset.open(directory, "train")


def test_without_a_cache_the_rows_are_read_into_memory_with_a_warning(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = TokenDataset.open(directory, "train")
    monkeypatch.setenv("RAYGENE_CACHE", str(directory / "manifest.json"))
    with caplog.at_level(logging.WARNING):
        found = TokenDataset.open(directory, "train")
    assert np.array_equal(found.tokens, expected.tokens)
    assert found.table.equals(expected.table)
    assert "every process reads its own copy of split train" in caplog.text
    assert found.note in caplog.text
    assert expected.note is None


def test_a_pickled_dataset_opens_its_files_again_instead_of_carrying_them(directory: Path) -> None:
    dataset = TokenDataset.open(directory, "train")
    sent = pickle.dumps(dataset)
    assert len(sent) < 500
    assert np.array_equal(pickle.loads(sent).tokens, dataset.tokens)


def test_a_dataset_replaced_since_it_was_opened_is_refused(directory: Path) -> None:
    sent = pickle.dumps(TokenDataset.open(directory, "train"))
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps(manifest | {"fingerprint": "e" * 64}))
    with pytest.raises(DatasetError, match=r"was replaced since it was first opened \(fingerprint e{12}, not f{12}\)"):
        pickle.loads(sent)
    assert len(TokenDataset.open(directory, "train", fingerprint="e" * 64)) == 7
    with pytest.raises(DatasetError, match="was replaced"):
        TokenDataset.open(directory, "train", fingerprint="f" * 64)


def test_a_dataset_made_of_arrays_carries_them(directory: Path) -> None:
    dataset = TokenDataset.open(directory, "train")
    fewer = replace(dataset, labels=dataset.labels[:2], offsets=dataset.offsets[:3], tokens=dataset.tokens[:3])
    found = pickle.loads(pickle.dumps(fewer))
    assert len(found) == 2
    assert found.tokens.tolist() == [3, 4, 4]


def test_the_leakage_of_an_earlier_version_is_read_under_its_name_of_today(directory: Path) -> None:
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"leakage": {"judged": 20, "near_duplicates": 3}}))
    assert read_manifest(directory)["leakage"] == {"evaluated": 20, "near_duplicates": 3}
