from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import fingerprint
from pipelines.errors import DatasetError
from pipelines.tokens.tokenizer import Tokenizer
from tests.hypothesis_profiles import examples
from tests.pipelines.dataset import small_dataset


def test_a_saved_tokenizer_loads_with_the_same_fingerprint(tmp_path: Path) -> None:
    whole = Tokenizer(4, 2, "partial")
    observed = whole.restrict_to_observed(np.arange(whole.vocabulary_size) % 5, 3)
    for tokenizer in (Tokenizer(4, 2, "drop"), whole, observed):
        tokenizer.save(tmp_path)
        assert Tokenizer.load(tmp_path) == tokenizer
        assert Tokenizer.load(tmp_path).fingerprint == tokenizer.fingerprint
    assert observed.fingerprint != whole.fingerprint


@pytest.mark.parametrize(
    "vocabulary",
    [None, [], ["<pad>", "<unk>", "<mask>"], ["AA"], ["<pad>", "<unk>", "<mask>", "CC", "AA"]]
    + [["<pad>", "<unk>", "<mask>", word] for word in ("AAA", "<unk>", 7)],
)
def test_an_observed_vocabulary_of_anything_but_words_in_order_is_refused(tmp_path: Path, vocabulary: object) -> None:
    Tokenizer(2, 1, "anchor", observed_words=(0, 5)).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"vocabulary": vocabulary}))
    with pytest.raises(DatasetError, match="not 2-mers in the order"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": ["<pad>"]}, "vocabulary"),
        ({"format_version": 2}, "format 2"),
        ({"k": 99}, "k, stride or tail"),
        ({"format": "other"}, "not a raygene tokenizer"),
    ],
)
def test_a_changed_tokenizer_file_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    Tokenizer(2, 1, "anchor").save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DatasetError, match=message):
        Tokenizer.load(tmp_path)


def test_a_missing_tokenizer_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no tokenizer there"):
        Tokenizer.load(tmp_path / "nowhere")


def test_the_file_and_the_canonical_json_are_the_same_document(tmp_path: Path) -> None:
    tokenizer = Tokenizer(2, 1, "anchor")
    tokenizer.save(tmp_path)
    document = json.loads((tmp_path / "tokenizer.json").read_text())
    assert document == json.loads(tokenizer.json)
    assert fingerprint.of_value(document) == tokenizer.fingerprint
    assert list(document) == ["format", "format_version", "k", "stride", "tail", "vocabulary"]


def test_a_tokenizer_is_read_by_its_directory_or_its_file(tmp_path: Path) -> None:
    tokenizer = Tokenizer(3, 2, "partial")
    tokenizer.save(tmp_path)
    assert Tokenizer.load(tmp_path) == Tokenizer.load(tmp_path / "tokenizer.json") == tokenizer


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_tokenizer_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"tokenizer.json: cannot be read .*: restore the file or build again"):
        Tokenizer.load(tmp_path)


def test_a_file_larger_than_any_tokenizer_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "tokenizer.json").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(DatasetError, match=r"tokenizer\.json: cannot be read \(larger than 64 MiB\)"):
        Tokenizer.load(tmp_path)


@examples(60)
@given(st.data(), st.sampled_from([Tokenizer(2, 1, "anchor"), Tokenizer(2, 1, "anchor", (0, 3, 5))]))
def test_a_file_changed_in_any_way_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, tokenizer: Tokenizer
) -> None:
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(folder)
    path = folder / "tokenizer.json"
    document = data.draw(small_dataset.mutations(json.loads(path.read_text())))
    path.write_text(json.dumps(document))
    try:
        Tokenizer.load(folder)
    except DatasetError as error:
        assert str(path) in str(error)  # noqa: PT017
        assert len(str(error)) < 600  # noqa: PT017


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_directory_or_a_pipe_in_its_place_is_refused(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "tokenizer.json")
    with pytest.raises(DatasetError, match=r"tokenizer\.json: not a file"):
        Tokenizer.load(tmp_path)
