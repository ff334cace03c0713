from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from pipelines.genome import sequence
from pipelines.tokens import centred
from pipelines.tokens.tokenizer import Tokenizer

ODD = st.sampled_from([1, 3, 5])


def codes_of(letters: str) -> sequence.Bytes:
    return sequence.base_codes(np.frombuffer(letters.encode(), np.uint8))


@given(letters=st.text("ACGTNacgtRn", max_size=40), k=ODD, tail=st.sampled_from(["anchor", "drop", "partial"]))
def test_every_base_has_the_kmer_around_it(letters: str, k: int, tail: str) -> None:
    tokenizer = Tokenizer(k, 1, tail)
    ids = {word: number for number, word in enumerate(tokenizer.vocabulary)}
    padded = "N" * (k // 2) + letters.upper() + "N" * (k // 2)
    expected = [ids.get(padded[base : base + k], 1) for base in range(len(letters))]
    assert centred.encode(tokenizer, codes_of(letters)).tolist() == expected


@given(letters=st.text("ACGTN", max_size=40), k=ODD)
def test_the_other_strand_has_the_complements_in_reverse_order(letters: str, k: int) -> None:
    tokenizer = Tokenizer(k, 1, "anchor")
    other = sequence.base_codes(sequence.reverse_complement(np.frombuffer(letters.encode(), np.uint8)))
    tokens = centred.encode(tokenizer, codes_of(letters))
    assert centred.encode(tokenizer, other).tolist() == tokenizer.reverse_complements[tokens][::-1].tolist()


@pytest.mark.parametrize(("k", "stride", "key"), [(4, 1, "tokenizer.k"), (3, 3, "tokenizer.stride")])
def test_other_tokenizers_are_refused(k: int, stride: int, key: str) -> None:
    with pytest.raises(UsageError, match=key) as raised:
        centred.encode(Tokenizer(k, stride, "anchor"), codes_of("ACGTACGT"))
    assert raised.value.key == key


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_bases_of_pieces_come_back(k: int) -> None:
    generator = np.random.default_rng(k)
    codes = generator.integers(0, 4, 200).astype(np.uint8)
    lengths = np.array([90, 1, 109])
    decoded = centred.decode(Tokenizer(k, 1, "anchor"), centred.encode(Tokenizer(k, 1, "anchor"), codes), lengths)
    assert decoded.tolist() == codes.tolist()


def test_a_base_beside_n_is_decoded_from_its_other_neighbours() -> None:
    tokenizer = Tokenizer(3, 1, "anchor")
    codes = codes_of("ACGTNACGT")
    assert centred.decode(tokenizer, centred.encode(tokenizer, codes), np.array([9])).tolist() == codes.tolist()
