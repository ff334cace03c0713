from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.config import TokenizerConfig
from pipelines.errors import DatasetError, InputError, UsageError
from pipelines.genome import sequence
from pipelines.tokens.tokenizer import UNK, Tokenizer

COMPLEMENT = dict(zip("ACGTURYSWKMBDHVN", "TGCAAYRSWMKVHDBN", strict=True))


@cache
def complete(k: int, stride: int, tail: str) -> Tokenizer:
    return Tokenizer(k, stride, tail)


@st.composite
def tokenizers(draw: st.DrawFn) -> Tokenizer:
    k = draw(st.integers(1, 10))
    tail = draw(st.sampled_from(["anchor", "drop", "partial"]))
    found = complete(k, draw(st.integers(1, k)), tail)
    if draw(st.booleans()):
        return found
    seen = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 3, found.vocabulary_size)
    return found.observed(np.append(seen[:-1], 2), draw(st.integers(1, 2)))


sequences = st.text(alphabet="ACGTUacgtu", min_size=1, max_size=50) | st.text(
    alphabet="ACGTacgtURYSWKMBDHVNuryswkmbdhvn", min_size=1, max_size=50
)


def words(text: str, tokenizer: Tokenizer) -> list[tuple[int, str]]:
    """Where each token starts, and its letters as A, C, G and T or others."""
    text = text.upper().replace("U", "T")
    k = tokenizer.k
    if len(text) < k:
        return [(0, "too short")]
    positions = list(range(0, len(text) - k + 1, tokenizer.stride))
    found = [(position, text[position : position + k]) for position in positions]
    end = positions[-1] + k
    if end < len(text) and tokenizer.tail == "anchor":
        found.append((len(text) - k, text[-k:]))
    if end < len(text) and tokenizer.tail == "partial":
        found.append((end, text[end:]))
    return found


def number_of(word: str, tokenizer: Tokenizer) -> int | None:
    """The place of a word among all there can be."""
    if not set(word) <= set("ACGT"):
        return None
    number = sum(4**width for width in range(len(word) + 1, tokenizer.k + 1))
    return number + sum("ACGT".index(base) * 4**place for place, base in enumerate(reversed(word)))


def id_of(word: str, tokenizer: Tokenizer) -> int:
    number = number_of(word, tokenizer)
    if number is None:
        return UNK
    if tokenizer.kept is None:
        return 3 + number
    place = bisect_left(tokenizer.kept, number)
    return 3 + place if place < len(tokenizer.kept) and tokenizer.kept[place] == number else UNK


def joined(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    codes = sequence.base_codes(np.frombuffer("".join(texts).encode(), np.uint8))
    return codes, np.array([len(text) for text in texts])


@settings(deadline=None)
@given(tokenizers(), st.lists(sequences, min_size=1, max_size=8))
def test_many_sequences_at_once_encode_as_a_plain_loop_does(tokenizer: Tokenizer, texts: list[str]) -> None:
    tokens, counts = tokenizer.encode_many(*joined(texts))
    expected = [[id_of(word, tokenizer) for _, word in words(text, tokenizer)] for text in texts]
    assert tokens.tolist() == [token for row in expected for token in row]
    assert tokens.dtype == tokenizer.dtype
    assert counts.tolist() == [len(row) for row in expected]


@settings(deadline=None)
@given(tokenizers(), st.lists(sequences, min_size=1, max_size=8))
def test_tokens_give_back_the_bases_they_show(tokenizer: Tokenizer, texts: list[str]) -> None:
    codes, lengths = joined(texts)
    found, shown = tokenizer.bases(tokenizer.encode_many(codes, lengths)[0], lengths)
    expected, counts = [], []
    for text in texts:
        row = [4] * len(text)
        end = 0
        for start, word in words(text, tokenizer):
            end = len(text) if word == "too short" else start + len(word)
            if id_of(word, tokenizer) != UNK:
                row[start:end] = ["ACGT".index(base) for base in word]
        expected += row[:end]
        counts.append(end)
    assert found.tolist() == expected
    assert shown.tolist() == counts


@settings(deadline=None)
@given(tokenizers(), sequences)
def test_letters_and_reverse_complements_are_those_of_the_words(tokenizer: Tokenizer, text: str) -> None:
    for token, (_, word) in zip(tokenizer.encode(text), words(text, tokenizer), strict=True):
        if token == UNK:
            assert set(tokenizer.letters[token]) == {4}
            assert tokenizer.reverse_complements[token] == UNK
            continue
        shown = ["ACGT".index(base) for base in word]
        assert tokenizer.letters[token].tolist() == (shown + [4] * tokenizer.k)[: tokenizer.k]
        other = "".join(COMPLEMENT[base] for base in reversed(word))
        assert tokenizer.reverse_complements[token] == id_of(other, tokenizer)


@pytest.mark.parametrize("tail", ["anchor", "partial"])
def test_the_vocabulary_lists_every_word_in_the_order_of_its_id(tail: str) -> None:
    tokenizer = Tokenizer(3, 3, tail)
    assert [id_of(word, tokenizer) for word in tokenizer.vocabulary[3:]] == [*range(3, tokenizer.vocabulary_size)]
    assert tokenizer.vocabulary[3:5] == ["AAA", "AAC"]
    assert tokenizer.vocabulary[-1] == ("T" if tail == "partial" else "TTT")


def test_specials_are_their_own_reverse_complements() -> None:
    assert Tokenizer(3, 1, "anchor").reverse_complements[:3].tolist() == [0, 1, 2]


def test_what_is_left_after_the_last_kmer_is_one_partial_token() -> None:
    tokenizer = Tokenizer(4, 3, "partial")
    assert tokenizer.decode(tokenizer.encode("ACGTACGTA")) == ["ACGT", "TACG", "TA"]
    assert tokenizer.decode(tokenizer.encode("ACGTACGNA")) == ["ACGT", "TACG", "<unk>"]
    assert tokenizer.decode(tokenizer.encode("ACG")) == ["<unk>"]


@settings(deadline=None)
@given(tokenizers(), st.lists(sequences, min_size=1, max_size=8))
def test_counts_of_batches_add_up_to_those_of_a_plain_loop(tokenizer: Tokenizer, texts: list[str]) -> None:
    counts = sum(tokenizer.count(*joined([text])) for text in texts)
    expected = Counter(id_of(word, tokenizer) for text in texts for _, word in words(text, tokenizer))
    assert {token: counts[token] for token in np.flatnonzero(counts)} == dict(expected)
    assert len(counts) == tokenizer.vocabulary_size


def test_an_observed_vocabulary_keeps_what_occurs_often_enough_and_no_more() -> None:
    tokenizer = Tokenizer(2, 1, "anchor")
    counts = tokenizer.count(*joined(["TTTAN", "CAAA"]))
    observed = tokenizer.observed(counts, 2)
    assert observed.vocabulary == ["<pad>", "<unk>", "<mask>", "AA", "TT"]
    assert observed.decode(observed.encode("CAATT")) == ["<unk>", "AA", "<unk>", "TT"]
    assert observed.dtype == np.uint16


def test_an_observed_vocabulary_of_nothing_is_refused() -> None:
    tokenizer = Tokenizer(2, 1, "anchor")
    with pytest.raises(UsageError, match="no k-mer occurs 5 times"):
        tokenizer.observed(tokenizer.count(*joined(["NNNNNNNNN"])), 5)


def test_a_complete_vocabulary_keeps_the_fingerprint_it_always_had() -> None:
    assert Tokenizer(3, 1, "anchor").fingerprint.startswith("8171dbf6cce2")
    assert Tokenizer(6, 3, "drop").fingerprint.startswith("f88379f63af3")


def test_a_large_vocabulary_of_which_little_is_observed_takes_narrow_ids() -> None:
    tokenizer = complete(10, 1, "anchor")
    observed = tokenizer.observed(np.eye(1, tokenizer.vocabulary_size, 9, dtype=np.int64)[0], 1)
    assert observed.dtype == np.uint16
    assert observed.vocabulary_size == 4


@pytest.mark.parametrize(("k", "dtype"), [(7, np.uint16), (8, np.uint32)])
def test_ids_take_the_narrowest_type_that_holds_the_vocabulary(k: int, dtype: type) -> None:
    assert Tokenizer(k, 1, "anchor").dtype == dtype


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        Tokenizer(3, 1, "anchor").encode("")


def test_a_saved_tokenizer_loads_with_the_same_fingerprint(tmp_path: Path) -> None:
    whole = Tokenizer(4, 2, "partial")
    observed = whole.observed(np.arange(whole.vocabulary_size) % 5, 3)
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
def test_an_observed_vocabulary_that_is_none_is_refused(tmp_path: Path, vocabulary: object) -> None:
    Tokenizer(2, 1, "anchor", kept=(0, 5)).save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"vocabulary": vocabulary}))
    with pytest.raises(DatasetError, match="not 2-mers in the order"):
        Tokenizer.load(tmp_path)


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
