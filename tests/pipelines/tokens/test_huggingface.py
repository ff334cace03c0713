from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from pipelines.tokens import huggingface
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import SPECIALS

IUPAC = "ACGTacgtNnRYSWKM"


@st.composite
def tokenizers_of_any_kind(draw: st.DrawFn) -> Tokenizer:
    k = draw(st.integers(1, 5))
    complete = Tokenizer(k, draw(st.integers(1, k)), draw(st.sampled_from(["anchor", "drop", "partial"])))
    if not draw(st.booleans()):
        return complete
    counts = np.zeros(complete.vocabulary_size, np.int64)
    counts[draw(st.lists(st.integers(3, complete.vocabulary_size - 1), min_size=1, max_size=30))] = 1
    return complete.restrict_to_observed(counts, 1)


def exported(tokenizer: Tokenizer, folder: Path) -> Any:
    huggingface.save(tokenizer, folder / "tokenizer.json")
    return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


@given(tokenizers_of_any_kind(), st.text(IUPAC, min_size=1, max_size=60))
def test_ids_of_presplit_kmers_agree(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer, bases: str
) -> None:
    other = exported(tokenizer, tmp_path_factory.mktemp("exported"))
    length = np.array([len(bases)])
    starts = tokenizer.starts(np.arange(int(tokenizer.token_counts(length)[0])), length)
    words = [bases[start : start + tokenizer.k] for start in starts.tolist()]
    if len(bases) < tokenizer.k:
        words = ["N" * tokenizer.k]
    assert other.encode(words, is_pretokenized=True).ids == tokenizer.encode(bases).tolist()
    assert other.encode(" ".join(words)).ids == tokenizer.encode(bases).tolist()


@given(st.integers(1, 5), st.sampled_from(["anchor", "drop", "partial"]), st.text(IUPAC, min_size=1, max_size=60))
def test_raw_sequence_agrees_where_stride_is_k_and_divides_it(
    tmp_path_factory: pytest.TempPathFactory, k: int, tail: str, bases: str
) -> None:
    tokenizer = Tokenizer(k, k, tail)
    if len(bases) < k or (tail != "partial" and len(bases) % k):
        bases = "A" * k + bases * k
    other = exported(tokenizer, tmp_path_factory.mktemp("exported"))
    assert other.encode(bases).ids == tokenizer.encode(bases).tolist()


def test_specials_keep_their_ids(tmp_path: Path) -> None:
    other = exported(Tokenizer(3, 1, "anchor"), tmp_path)
    assert [other.token_to_id(name) for name in SPECIALS] == [0, 1, 2]
    assert other.encode("AAA <mask> <pad> CAT <unk>").ids == [3, 2, 0, other.token_to_id("CAT"), 1]


def test_raw_sequence_is_not_cut_wrongly_where_kmers_overlap(tmp_path: Path) -> None:
    assert exported(Tokenizer(3, 1, "anchor"), tmp_path).encode("ACGTAC").ids == [1]


@pytest.mark.parametrize(
    ("stride", "tail", "expected"),
    [(1, "anchor", "cannot cut"), (3, "drop", "multiple of 3"), (3, "partial", "at least 3")],
)
def test_it_says_where_ids_agree(stride: int, tail: str, expected: str) -> None:
    assert expected in huggingface.agreement(Tokenizer(3, stride, tail))
