from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.tokens import kmer_encoding
from pipelines.tokens.kmer_encoding import KmerLayout
from pipelines.tokens.vocabulary import Vocabulary

base_codes = st.lists(st.integers(0, 4), max_size=40).map(lambda codes: np.array(codes, np.uint8))


@given(base_codes, st.integers(1, 10))
def test_kmer_numbers_are_those_of_a_plain_loop(codes: np.ndarray, k: int) -> None:
    numbers = kmer_encoding.kmer_numbers(codes, k)
    windows = [codes[first : first + k] for first in range(len(codes) - k + 1)]
    expected = [
        sum(int(code) % 4 * 4 ** (k - 1 - position) for position, code in enumerate(window)) for window in windows
    ]
    assert numbers.tolist() == expected
    assert numbers.dtype == (np.uint16 if k <= 8 else np.uint32)
    assert kmer_encoding.holds_other(codes, k).tolist() == [4 in window for window in windows]


@pytest.mark.parametrize("tail", ["anchor", "drop", "partial"])
def test_sequences_that_cross_blocks_encode_as_they_do_in_one_block(tail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 40, 30)
    codes = generator.integers(0, 5, lengths.sum()).astype(np.uint8)
    layout, vocabulary = KmerLayout(4, 3, tail), Vocabulary(4, tail == "partial")
    tokens, counts = kmer_encoding.encode(codes, lengths, layout, vocabulary)
    for block in (1, 3, 16, int(lengths[:5].sum())):
        monkeypatch.setattr(kmer_encoding, "BLOCK", block)
        blockwise, blockwise_counts = kmer_encoding.encode(codes, lengths, layout, vocabulary)
        assert blockwise.tolist() == tokens.tolist()
        assert blockwise_counts.tolist() == counts.tolist()


@pytest.mark.parametrize(
    ("tail", "starts", "covered"), [("anchor", [0, 3, 4], 8), ("drop", [0, 3], 7), ("partial", [0, 3, 7], 8)]
)
def test_the_last_token_lies_where_the_tail_puts_it(tail: str, starts: list[int], covered: int) -> None:
    layout, lengths = KmerLayout(4, 3, tail), np.array([8])
    assert layout.token_counts(lengths).tolist() == [len(starts)]
    assert [int(layout.starts(number, lengths)[0]) for number in range(len(starts))] == starts
    assert layout.covered_bases(lengths).tolist() == [covered]


@pytest.mark.parametrize("tail", ["anchor", "drop", "partial"])
@pytest.mark.parametrize("length", [1, 3, 4])
def test_a_sequence_of_at_most_k_bases_is_one_token(tail: str, length: int) -> None:
    layout, lengths = KmerLayout(4, 3, tail), np.array([length])
    assert layout.token_counts(lengths).tolist() == [1]
    assert layout.covered_bases(lengths).tolist() == [length]


def test_no_sequences_give_no_tokens() -> None:
    nothing = np.empty(0, np.int64)
    tokens, counts = kmer_encoding.encode(
        np.empty(0, np.uint8), nothing, KmerLayout(4, 3, "anchor"), Vocabulary(4, has_partial=False)
    )
    assert (len(tokens), len(counts)) == (0, 0)
