from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines import fingerprint
from pipelines.errors import DatasetError
from pipelines.tokens.tokenizer import Tokenizer


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
