from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import schema
from pipelines.audit.inspection import Inspection
from pipelines.build import left_out
from pipelines.dataset import manifest
from pipelines.dataset.export import FORMATS, row_formatter
from pipelines.dataset.manifest import read_counts, read_manifest
from pipelines.dataset.token_dataset import TokenDataset, is_whole
from pipelines.documents import sealed_json
from pipelines.errors import DatasetError
from tests.hypothesis_profiles import examples
from tests.pipelines.dataset import small_dataset
from tests.pipelines.dataset.small_dataset import Key, change
from training import dataset_config
from training.bundle import description


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return small_dataset.write_dataset(tmp_path / "data")


def open_all(directory: Path) -> None:
    """Everything that verbs do with a manifest."""
    document = read_manifest(directory)
    opened = [TokenDataset.open(directory, split) for split in schema.SPLITS]
    left_out.read(directory, document)
    is_whole(directory, document)
    description.data(document)
    dataset_config.reconcile({"sources": [{"genome": "toy"}], "crop": {}, "tokenizer": {"k": 3}}, document["config"])
    for file_format in FORMATS:
        row_formatter(file_format, document)
    counts = np.bincount(opened[0].tokens, minlength=opened[0].tokenizer.vocabulary_size)
    inspection = Inspection(directory, document, opened[0].tokenizer, [], counts, "test", [])
    inspection.tables()
    inspection.to_json()


def problem_of(directory: Path) -> str:
    """The one line with which a dataset is refused."""
    with pytest.raises(DatasetError) as caught:
        open_all(directory)
    text = str(caught.value)
    assert str(directory) in text
    assert "\n" not in text
    assert len(text) < 600
    return text


def test_a_sealed_dataset_opens_without_a_note(dataset: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_all(dataset)
    assert is_whole(dataset, read_manifest(dataset))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("fingerprint",), "f" * 64),
        (("counts", 0, "rows"), 7),
        (("config", "crop", "length"), 100),
        (("leakage", "share"), 0.0),
        (("genes", "toy", "annotated"), 15),
        (("versions", "numpy"), "3.0"),
        (("digest",), "0" * 64),
        (("digest",), None),
    ],
)
def test_a_changed_value_is_refused_with_the_file_and_the_fix(
    dataset: Path, keys: tuple[Key, ...], value: object
) -> None:
    document = small_dataset.read(dataset)
    part: Any = document
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    (dataset / "manifest.json").write_text(json.dumps(document))
    problem = problem_of(dataset)
    assert "manifest.json: changed since it was written: its digest does not fit: build the dataset again" in problem


def test_a_file_or_an_address_in_place_of_a_directory_is_refused_with_what_to_name(dataset: Path) -> None:
    with pytest.raises(DatasetError, match="not a directory: name the directory of the dataset"):
        read_manifest(dataset / "manifest.json")
    with pytest.raises(DatasetError, match=r"no finished dataset there .*: copy it to this machine"):
        read_manifest(Path("s3://bucket/data"))


def test_other_spaces_and_another_order_of_keys_are_the_same_manifest(dataset: Path) -> None:
    before = read_manifest(dataset)
    (dataset / "manifest.json").write_text(json.dumps(dict(reversed(small_dataset.read(dataset).items()))))
    assert read_manifest(dataset) == before
    open_all(dataset)


def test_a_dataset_of_an_earlier_version_opens_with_one_note(
    dataset: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_noted", set())
    small_dataset.write(dataset, small_dataset.read(dataset), seal=False)
    with caplog.at_level(logging.WARNING):
        open_all(dataset)
        open_all(dataset)
    (record,) = [record for record in caplog.records if "without a digest" in record.message]
    assert "manifest.json" in record.message


@pytest.mark.parametrize("seal", [True, False])
@pytest.mark.parametrize(
    ("keys", "value", "problem"),
    [
        (("fingerprint",), "../../etc", "fingerprint: '../../etc': not 64 lower-case hexadecimal digits"),
        (("fingerprint",), "A" * 64, "fingerprint: "),
        (("fingerprint",), "a" * 64 + "\n", "fingerprint: "),
        (("fingerprint",), 7, "fingerprint: 7: input should be a valid string"),
        (("fingerprint",), None, "fingerprint: None: input should be a valid string"),
        (("tokenizer",), [], "tokenizer: input should be a valid dictionary"),
        (("tokenizer", "fingerprint"), "", "tokenizer.fingerprint: "),
        (("tokenizer", "size"), 70, "tokenizer.size: 70 is not the 67 of tokenizer.json"),
        (("tokenizer", "k"), 4, "tokenizer.k: 4 is not the 3 of tokenizer.json"),
        (("files", 0, "rows"), -1, "files.0.rows: -1: input should be greater than or equal to 0"),
        (("files", 0, "rows"), "12", "files.0.rows: '12': input should be a valid integer"),
        (("files", 0, "rows"), True, "files.0.rows: True: "),
        (("files", 0, "rows"), 12.0, "files.0.rows: 12.0: "),
        (("files", 0, "bytes"), 10**30, "files.0.bytes: "),
        (("files", 0, "sha256"), "0" * 63, "files.0.sha256: "),
        (("files", 0, "sha256"), None, "files.0.sha256: None: "),
        (("files", 0), "split=train/part-00000.parquet", "files.0: "),
        (("files",), {}, "files: input should be a valid list"),
        (("files", 0, "rows"), 11, "rows, not the manifest's 11"),
        (("files", 0, "tokens"), 11, "tokens, not the manifest's 11"),
        (("counts",), "many", "counts: 'many': "),
        (("counts", 0, "split"), "holdout", "counts.0.split: 'holdout': "),
        (("counts", 0, "label"), 2, "counts.0.label: 2: "),
        (("counts", 0, "genome"), 1, "counts.0.genome: 1: "),
        (("genes", "toy"), 14, "genes.toy: 14: "),
        (("genes", "toy", "length_after", "50%"), -5, "genes.toy.length_after.50%: -5"),
        (("dropped", "toy", "no_match"), "2", "dropped.toy.no_match: '2': "),
        (("longest", "bases"), 0.5, "longest.bases: 0.5: "),
        (("leakage", "share"), 1.5, "leakage.share: 1.5: "),
        (("leakage", "split"), "../x", "leakage.split: '../x': "),
        (("config",), None, "config: None: "),
        (("config", "sources"), [1], "config.sources.0: 1: "),
        (("config", "sources", 0, "genome"), 5, "config.sources.0.genome: 5: "),
        (("config", "crop", "length"), "all", "config.crop.length: 'all': "),
        (("left_out", "files", 0, "path"), "_left_out/../x", "left_out.files.0.path: "),
        (("left_out", "files"), None, "left_out.files: None: "),
        (("split_in_blocks",), "toy", "split_in_blocks: 'toy': "),
        (("split_regions",), {"dev": []}, "split_regions.dev"),
        (("split_regions",), {"test": [{"genome": "g", "chromosome": "c", "start": 0}]}, "split_regions.test.0.end: "),
        (("format_version",), True, "dataset format True is not 1"),
        (("format_version",), 1.0, "dataset format 1.0 is not 1"),
        (("format_version",), [1] * 10_000, "dataset format [1, 1, 1, 1, 1, 1, ...] is not 1"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_its_key(
    dataset: Path, keys: tuple[Key, ...], value: object, problem: str, seal: bool
) -> None:
    change(dataset, *keys, to=value, seal=seal)
    assert problem in problem_of(dataset)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../other/part.parquet",
        "split=train/../split=test/part-00000.parquet",
        "split=train/../../secret",
        "split=train/..",
        "split=train/.",
        "split=train/",
        "split=train",
        "split=train/sub/part.parquet",
        "split=train\\part-00000.parquet",
        "split=train/part\\x.parquet",
        "split=train/part\0.parquet",
        "split=train/part\n.parquet",
        "split=holdout/part-00000.parquet",
        "./split=train/part-00000.parquet",
        "part-00000.parquet",
        "",
        "~/x",
        "file:///etc/passwd",
    ],
)
def test_a_path_that_is_no_plain_name_inside_the_dataset_is_refused(dataset: Path, path: str) -> None:
    change(dataset, "files", 0, "path", to=path)
    assert "manifest.json: files.0.path: " in problem_of(dataset)


def test_a_file_listed_twice_is_refused(dataset: Path) -> None:
    change(dataset, "files", to=lambda files: [*files, files[0]])
    assert "files: split=train/part-00000.parquet is listed 2 times" in problem_of(dataset)


def test_a_link_that_leads_out_of_the_dataset_is_refused_and_one_inside_is_not(dataset: Path, tmp_path: Path) -> None:
    part = dataset / "split=train" / "part-00000.parquet"
    part.rename(tmp_path / "elsewhere.parquet")
    part.symlink_to(tmp_path / "elsewhere.parquet")
    assert "part-00000.parquet: not a file inside the dataset" in problem_of(dataset)
    part.unlink()
    (tmp_path / "elsewhere.parquet").rename(dataset / "split=train" / "real.parquet")
    part.symlink_to("real.parquet")
    open_all(dataset)
    (tmp_path / "link").symlink_to(dataset)
    open_all(tmp_path / "link")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
@pytest.mark.parametrize("name", ["manifest.json", "split=train/part-00000.parquet"])
def test_a_directory_or_a_pipe_in_the_place_of_a_file_is_refused(dataset: Path, name: str, make: Any) -> None:
    (dataset / name).unlink()
    make(dataset / name)
    assert "not a file" in problem_of(dataset)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"format": "raygene-dataset", "format": "raygene-dataset"}', "a key occurs twice"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ('{"format": NaN}', "NaN is not a number"),
        ('{"format": -Infinity}', "-Infinity is not a number"),
        ('{"format": "\\ud800"}', "surrogates not allowed"),
        ('{"format": ' + "9" * 10_000 + "}", "cannot be read"),
        ("", "cannot be read"),
        ("\x00\x01", "cannot be read"),
        ('{"format": "raygene-dataset"', "cannot be read"),
    ],
)
def test_text_that_is_no_manifest_is_refused(dataset: Path, text: str, problem: str) -> None:
    (dataset / "manifest.json").write_text(text)
    assert problem in problem_of(dataset)


def test_bytes_that_are_no_text_are_refused(dataset: Path) -> None:
    (dataset / "manifest.json").write_bytes(b"\xff\xfe{}")
    assert "cannot be read" in problem_of(dataset)


@pytest.mark.parametrize(
    "key", ["fingerprint", "tokenizer", "files", "config", "counts", "genes", "dropped", "longest"]
)
def test_a_missing_key_is_named_by_whoever_needs_it(dataset: Path, key: str) -> None:
    document = small_dataset.read(dataset)
    del document[key]
    small_dataset.write(dataset, document)
    assert f"manifest.json: {key}: missing: build the dataset again" in problem_of(dataset)


def test_counts_are_required_only_where_they_are_read(dataset: Path) -> None:
    document = small_dataset.read(dataset)
    del document["counts"]
    small_dataset.write(dataset, document)
    assert len(TokenDataset.open(dataset, "train")) == small_dataset.ROWS["train"]
    with pytest.raises(DatasetError, match="counts: missing"):
        read_counts(dataset)


def test_a_deep_part_of_the_configuration_is_refused_or_read(dataset: Path) -> None:
    text = small_dataset.read(dataset)
    text.pop(sealed_json.DIGEST)
    deep = json.dumps(text).replace('"split_in_blocks"', '"extra": ' + "[" * 900 + "]" * 900 + ', "split_in_blocks"')
    (dataset / "manifest.json").write_text(deep)
    try:
        open_all(dataset)
    except DatasetError as error:
        assert "nested too deep" in str(error)  # noqa: PT017


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    # The note on datasets without a digest is not what is tested here.
    logging.getLogger(manifest.__name__).disabled = True
    yield small_dataset.write_dataset(tmp_path_factory.mktemp("fuzz") / "data")
    logging.getLogger(manifest.__name__).disabled = False


ORIGINAL: dict[str, Any] = {}


@examples(150)
@given(st.data(), st.booleans())
def test_a_manifest_changed_in_any_way_opens_or_is_refused_in_one_line(
    fuzzed: Path, data: st.DataObject, seal: bool
) -> None:
    if not ORIGINAL:
        ORIGINAL.update(small_dataset.read(fuzzed))
    small_dataset.write(fuzzed, data.draw(small_dataset.mutations(ORIGINAL)), seal=seal)
    try:
        open_all(fuzzed)
    except DatasetError as error:
        assert str(fuzzed) in str(error)  # noqa: PT017
        assert len(str(error)) < 600  # noqa: PT017
