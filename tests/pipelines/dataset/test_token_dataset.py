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
from pipelines.dataset.token_dataset import TokenDataset, is_whole, read_manifest
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
            "interval_id": range(rows),
            "genome": ["toy"] * rows,
            "chromosome": ["chr1"] * rows,
            "start": range(rows),
            "end": range(1, rows + 1),
            "strand": ["+"] * rows,
            "source": ["gene"] * rows,
            **{name: [0.0] * rows for name in ("gc", "unknown_share", "soft_masked_share")},
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
    for row in (7, -1):
        with pytest.raises(IndexError):
            dataset[row]


def test_offsets_count_in_64_bits(directory: Path) -> None:
    assert TokenDataset.open(directory, "train").offsets.dtype == np.int64


def test_a_path_may_be_text(directory: Path) -> None:
    assert len(TokenDataset.open(str(directory), "validation")) == 3


def test_an_empty_split_and_an_unknown_one_are_errors(directory: Path) -> None:
    with pytest.raises(DatasetError, match="split test has no rows"):
        TokenDataset.open(directory, "test")
    with pytest.raises(DatasetError, match="no split 'tests'"):
        TokenDataset.open(directory, "tests")


@pytest.mark.parametrize("cached", [False, True])
def test_a_missing_or_shortened_file_is_an_error_even_if_its_rows_are_cached(directory: Path, cached: bool) -> None:
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
        dataset = TokenDataset.open(directory, "train")
    assert np.array_equal(dataset.tokens, expected.tokens)
    assert dataset.table.equals(expected.table)
    assert "every process reads its own copy of split train" in caplog.text
    assert dataset.note in caplog.text
    assert expected.note is None


def test_a_pickled_dataset_opens_its_files_again_instead_of_carrying_them(directory: Path) -> None:
    dataset = TokenDataset.open(directory, "train")
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 500
    assert np.array_equal(pickle.loads(pickled).tokens, dataset.tokens)


def test_a_dataset_replaced_since_it_was_opened_is_refused(directory: Path) -> None:
    pickled = pickle.dumps(TokenDataset.open(directory, "train"))
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps(manifest | {"fingerprint": "e" * 64}))
    with pytest.raises(DatasetError, match=r"was replaced since it was first opened \(fingerprint e{12}, not f{12}\)"):
        pickle.loads(pickled)
    assert len(TokenDataset.open(directory, "train", fingerprint="e" * 64)) == 7
    with pytest.raises(DatasetError, match="was replaced"):
        TokenDataset.open(directory, "train", fingerprint="f" * 64)


def test_a_dataset_created_from_arrays_pickles_them(directory: Path) -> None:
    dataset = TokenDataset.open(directory, "train")
    fewer = replace(dataset, labels=dataset.labels[:2], offsets=dataset.offsets[:3], tokens=dataset.tokens[:3])
    copy = pickle.loads(pickle.dumps(fewer))
    assert len(copy) == 2
    assert copy.tokens.tolist() == [3, 4, 4]


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, "missing", "no finished dataset there"),
        ("{", "damaged", "cannot be read"),
        ("[]", "format", "not the manifest of a raygene dataset"),
        ('{"format": "other"}', "format", "not the manifest of a raygene dataset"),
        ('{"format": "raygene-dataset", "format_version": 0}', "format", "dataset format 0 is not 1"),
    ],
)
def test_a_manifest_that_is_not_one_is_an_error_with_its_kind(
    tmp_path: Path, content: str | None, code: str, message: str
) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DatasetError, match=message) as caught:
        read_manifest(tmp_path)
    assert caught.value.code == code


def test_a_dataset_is_whole_until_a_byte_of_a_file_changes(directory: Path) -> None:
    manifest = read_manifest(directory)
    assert is_whole(directory, manifest)
    part = directory / "split=train" / "part-00000.parquet"
    content = bytearray(part.read_bytes())
    content[20] ^= 1
    part.write_bytes(content)
    assert not is_whole(directory, manifest)
    part.unlink()
    assert not is_whole(directory, manifest)


def test_a_dataset_with_another_tokenizer_is_not_whole_and_does_not_open(directory: Path) -> None:
    Tokenizer(2, 1, "anchor").save(directory)
    assert not is_whole(directory, read_manifest(directory))
    with pytest.raises(DatasetError, match=r"tokenizer.json is not the one the dataset was built with"):
        TokenDataset.open(directory, "train")


def test_the_leakage_of_an_earlier_version_is_read_under_its_current_name(directory: Path) -> None:
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"leakage": {"judged": 20, "near_duplicates": 3}}))
    assert read_manifest(directory)["leakage"] == {"evaluated": 20, "near_duplicates": 3}
