from __future__ import annotations

import numpy as np
import pytest

from pipelines.tokens.vocabulary import MASK, PAD, SPECIALS, UNK, Vocabulary


def test_specials_come_first_and_are_their_own_reverse_complements() -> None:
    vocabulary = Vocabulary(3, has_partial=False)
    assert vocabulary.tokens[:3] == list(SPECIALS) == ["<pad>", "<unk>", "<mask>"]
    assert vocabulary.reverse_complements[:3].tolist() == [PAD, UNK, MASK]


def test_shorter_words_follow_the_kmers_where_there_are_partial_tokens() -> None:
    vocabulary = Vocabulary(2, has_partial=True)
    assert vocabulary.tokens[3:5] == ["AA", "AC"]
    assert vocabulary.tokens[-4:] == ["A", "C", "G", "T"]
    assert vocabulary.size == 3 + 16 + 4
    assert vocabulary.first_numbers.tolist() == [0, 16, 0]


def test_observed_words_have_ids_without_gaps_and_all_others_are_unknown() -> None:
    vocabulary = Vocabulary(2, has_partial=False, observed_words=(0, 15))
    assert vocabulary.tokens == [*SPECIALS, "AA", "TT"]
    assert vocabulary.ids.tolist() == [3, *[UNK] * 14, 4]
    assert vocabulary.reverse_complements.tolist() == [0, 1, 2, 4, 3]
    assert Vocabulary(2, has_partial=False, observed_words=(0,)).reverse_complements.tolist() == [0, 1, 2, UNK]


@pytest.mark.parametrize(("k", "dtype"), [(7, np.uint16), (8, np.uint32)])
def test_ids_take_the_narrowest_type_that_holds_a_complete_vocabulary(k: int, dtype: type) -> None:
    assert Vocabulary(k, has_partial=False).dtype == dtype


@pytest.mark.parametrize(("words", "dtype"), [(1, np.uint16), (65_533, np.uint16), (65_534, np.uint32)])
def test_ids_take_the_narrowest_type_that_holds_an_observed_vocabulary(words: int, dtype: type) -> None:
    vocabulary = Vocabulary(10, has_partial=False, observed_words=tuple(range(words)))
    assert vocabulary.dtype == dtype
    assert int(vocabulary.ids.max()) == vocabulary.size - 1
