from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import sequence
from pipelines.config import TokenizerConfig
from pipelines.errors import DatasetError, InputError
from pipelines.tokenizer import UNK, Tokenizer

tokenizers = st.integers(1, 6).flatmap(
    lambda k: st.builds(Tokenizer, st.just(k), st.integers(1, k), st.sampled_from(["anchor", "drop"]))
)
sequences = st.text(alphabet="ACGTacgtNRY", min_size=1, max_size=50)


def plain_loop(text: str, tokenizer: Tokenizer) -> list[int]:
    if len(text) < tokenizer.k:
        return [UNK]
    last = len(text) - tokenizer.k
    positions = list(range(0, last + 1, tokenizer.stride))
    if tokenizer.tail == "anchor" and positions[-1] != last:
        positions.append(last)
    ids = {token: number for number, token in enumerate(tokenizer.vocabulary)}
    return [ids.get(text[position : position + tokenizer.k].upper(), UNK) for position in positions]


@given(tokenizers, st.lists(sequences, min_size=1, max_size=8))
def test_many_sequences_at_once_encode_as_a_plain_loop_does(tokenizer: Tokenizer, texts: list[str]) -> None:
    codes = sequence.base_codes(np.frombuffer("".join(texts).encode(), np.uint8))
    tokens, counts = tokenizer.encode_many(codes, np.array([len(text) for text in texts]))
    expected = [plain_loop(text, tokenizer) for text in texts]
    assert tokens.tolist() == [token for row in expected for token in row]
    assert counts.tolist() == [len(row) for row in expected]


@given(tokenizers, sequences)
def test_decoded_tokens_are_the_kmers_of_the_sequence(tokenizer: Tokenizer, text: str) -> None:
    for number, token in enumerate(tokenizer.decode(tokenizer.encode(text))[:-1]):
        start = number * tokenizer.stride
        assert token in ("<unk>", text[start : start + tokenizer.k].upper())


@pytest.mark.parametrize(("k", "dtype"), [(7, np.uint16), (8, np.uint32)])
def test_ids_take_the_narrowest_type_that_holds_the_vocabulary(k: int, dtype: type) -> None:
    assert Tokenizer(k, 1, "anchor").dtype == dtype


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        Tokenizer(3, 1, "anchor").encode("")


def test_a_saved_tokenizer_loads_with_the_same_fingerprint(tmp_path: Path) -> None:
    tokenizer = Tokenizer(4, 2, "drop")
    tokenizer.save(tmp_path)
    assert Tokenizer.load(tmp_path).fingerprint == tokenizer.fingerprint


def test_from_takes_the_tokenizer_of_a_directory(tmp_path: Path) -> None:
    Tokenizer(4, 2, "drop").save(tmp_path)
    config = TokenizerConfig.model_validate({"from": str(tmp_path)})
    assert Tokenizer.from_config(config) == Tokenizer(4, 2, "drop")


def test_differences_name_the_parameters(tmp_path: Path) -> None:
    assert Tokenizer(4, 2, "drop").differences(Tokenizer(4, 1, "anchor")) == [
        "stride 2 against 1",
        "tail drop against anchor",
    ]


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
