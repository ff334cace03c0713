from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import TokenizerConfig
from pipelines.errors import InputError, UsageError
from pipelines.genome import sequence
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK

COMPLEMENT = dict(zip("ACGTURYSWKMBDHVN", "TGCAAYRSWMKVHDBN", strict=True))


@cache
def complete(k: int, stride: int, tail: str) -> Tokenizer:
    return Tokenizer(k, stride, tail)


@st.composite
def tokenizers(draw: st.DrawFn) -> Tokenizer:
    k = draw(st.integers(1, 10))
    tail = draw(st.sampled_from(["anchor", "drop", "partial"]))
    tokenizer = complete(k, draw(st.integers(1, k)), tail)
    if draw(st.booleans()):
        return tokenizer
    counts = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 3, tokenizer.vocabulary_size)
    return tokenizer.restrict_to_observed(np.append(counts[:-1], 2), draw(st.integers(1, 2)))


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
    tokens = [(position, text[position : position + k]) for position in positions]
    end = positions[-1] + k
    if end < len(text) and tokenizer.tail == "anchor":
        tokens.append((len(text) - k, text[-k:]))
    if end < len(text) and tokenizer.tail == "partial":
        tokens.append((end, text[end:]))
    return tokens


def number_of(word: str, tokenizer: Tokenizer) -> int | None:
    """The number of a word among all possible ones."""
    if not set(word) <= set("ACGT"):
        return None
    number = sum(4**width for width in range(len(word) + 1, tokenizer.k + 1))
    return number + sum("ACGT".index(base) * 4**power for power, base in enumerate(reversed(word)))


def id_of(word: str, tokenizer: Tokenizer) -> int:
    number = number_of(word, tokenizer)
    if number is None:
        return UNK
    if tokenizer.observed_words is None:
        return 3 + number
    observed = tokenizer.observed_words
    rank = bisect_left(observed, number)
    return 3 + rank if rank < len(observed) and observed[rank] == number else UNK


def concatenated(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    codes = sequence.base_codes(np.frombuffer("".join(texts).encode(), np.uint8))
    return codes, np.array([len(text) for text in texts])


@given(tokenizers(), st.lists(sequences, min_size=1, max_size=8))
def test_many_sequences_at_once_encode_as_a_plain_loop_does(tokenizer: Tokenizer, texts: list[str]) -> None:
    tokens, counts = tokenizer.encode_many(*concatenated(texts))
    expected = [[id_of(word, tokenizer) for _, word in words(text, tokenizer)] for text in texts]
    assert tokens.tolist() == [token for row in expected for token in row]
    assert tokens.dtype == tokenizer.dtype
    assert counts.tolist() == [len(row) for row in expected]


@given(tokenizers(), st.lists(sequences, min_size=1, max_size=8))
def test_tokens_decode_to_the_bases_they_cover(tokenizer: Tokenizer, texts: list[str]) -> None:
    codes, lengths = concatenated(texts)
    decoded, covered = tokenizer.decode_bases(tokenizer.encode_many(codes, lengths)[0], lengths)
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
    assert decoded.tolist() == expected
    assert covered.tolist() == counts


@given(tokenizers(), sequences)
def test_letters_and_reverse_complements_are_those_of_the_words(tokenizer: Tokenizer, text: str) -> None:
    for token, (_, word) in zip(tokenizer.encode(text), words(text, tokenizer), strict=True):
        if token == UNK:
            assert set(tokenizer.letters[token]) == {4}
            assert tokenizer.reverse_complements[token] == UNK
            continue
        word_codes = ["ACGT".index(base) for base in word]
        assert tokenizer.letters[token].tolist() == (word_codes + [4] * tokenizer.k)[: tokenizer.k]
        other = "".join(COMPLEMENT[base] for base in reversed(word))
        assert tokenizer.reverse_complements[token] == id_of(other, tokenizer)


@pytest.mark.parametrize("tail", ["anchor", "partial"])
def test_the_vocabulary_lists_every_word_in_the_order_of_its_id(tail: str) -> None:
    tokenizer = Tokenizer(3, 3, tail)
    assert [id_of(word, tokenizer) for word in tokenizer.vocabulary[3:]] == [*range(3, tokenizer.vocabulary_size)]
    assert tokenizer.vocabulary[3:5] == ["AAA", "AAC"]
    assert tokenizer.vocabulary[-1] == ("T" if tail == "partial" else "TTT")


def test_what_is_left_after_the_last_kmer_is_one_partial_token() -> None:
    tokenizer = Tokenizer(4, 3, "partial")
    assert tokenizer.decode(tokenizer.encode("ACGTACGTA")) == ["ACGT", "TACG", "TA"]
    assert tokenizer.decode(tokenizer.encode("ACGTACGNA")) == ["ACGT", "TACG", "<unk>"]
    assert tokenizer.decode(tokenizer.encode("ACG")) == ["<unk>"]


@given(tokenizers(), st.lists(sequences, min_size=1, max_size=8))
def test_counts_of_batches_add_up_to_those_of_a_plain_loop(tokenizer: Tokenizer, texts: list[str]) -> None:
    counts = sum(tokenizer.count_tokens(*concatenated([text])) for text in texts)
    expected = Counter(id_of(word, tokenizer) for text in texts for _, word in words(text, tokenizer))
    assert {token: counts[token] for token in np.flatnonzero(counts)} == dict(expected)
    assert len(counts) == tokenizer.vocabulary_size


def test_an_observed_vocabulary_keeps_what_occurs_often_enough_and_no_more() -> None:
    tokenizer = Tokenizer(2, 1, "anchor")
    counts = tokenizer.count_tokens(*concatenated(["TTTAN", "CAAA"]))
    observed = tokenizer.restrict_to_observed(counts, 2)
    assert observed.vocabulary == ["<pad>", "<unk>", "<mask>", "AA", "TT"]
    assert observed.decode(observed.encode("CAATT")) == ["<unk>", "AA", "<unk>", "TT"]
    assert observed.dtype == np.uint16


def test_an_observed_vocabulary_of_nothing_is_refused() -> None:
    tokenizer = Tokenizer(2, 1, "anchor")
    with pytest.raises(UsageError, match="no k-mer occurs 5 times"):
        tokenizer.restrict_to_observed(tokenizer.count_tokens(*concatenated(["NNNNNNNNN"])), 5)


def test_a_complete_vocabulary_keeps_the_fingerprint_it_always_had() -> None:
    assert Tokenizer(3, 1, "anchor").fingerprint.startswith("8171dbf6cce2")
    assert Tokenizer(6, 3, "drop").fingerprint.startswith("f88379f63af3")


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        Tokenizer(3, 1, "anchor").encode("")


def test_from_takes_the_tokenizer_of_a_directory(tmp_path: Path) -> None:
    Tokenizer(4, 2, "drop").save(tmp_path)
    config = TokenizerConfig.model_validate({"from": str(tmp_path)})
    assert Tokenizer.from_config(config) == Tokenizer(4, 2, "drop")


def test_differences_name_the_parameters(tmp_path: Path) -> None:
    assert Tokenizer(4, 2, "drop").differences(Tokenizer(4, 1, "anchor")) == [
        "stride 2 against 1",
        "tail drop against anchor",
    ]
