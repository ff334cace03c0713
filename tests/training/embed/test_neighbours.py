from __future__ import annotations

import numpy as np
import pytest

from pipelines.tokens.tokenizer import Tokenizer
from training.embed import neighbours

TOKENIZER = Tokenizer(3, 1, "anchor")


KMERS = np.arange(3, TOKENIZER.vocabulary_size)
OTHER = TOKENIZER.reverse_complements.astype(np.int64)[KMERS] - 3


def random(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((len(KMERS), 8)).astype(np.float32)


def mirror(vectors: np.ndarray) -> neighbours.ReverseComplementRanks | None:
    return neighbours.rank_reverse_complements(vectors, KMERS, TOKENIZER, 0)


def test_reverse_complements_of_the_same_vector_rank_first() -> None:
    vectors = random()
    found = mirror(vectors + vectors[OTHER])
    assert found is not None
    assert (found.kmers, found.same_gc_kmers, found.percentile, found.same_gc) == (64, 64, 1.0, 1.0)
    assert found.p == found.same_gc_p == 0.001


def test_random_vectors_are_at_chance() -> None:
    found = [mirror(random(seed)) for seed in range(5)]
    assert np.mean([one.percentile for one in found if one]) == pytest.approx(0.5, abs=0.06)
    assert max(one.p for one in found if one) > 0.2


def test_likeness_by_gc_alone_is_not_likeness_of_reverse_complements() -> None:
    strong = np.isin(TOKENIZER.letters[KMERS], (1, 2)).sum(axis=1)
    found = mirror(random() + 3 * np.random.default_rng(9).standard_normal((4, 8)).astype(np.float32)[strong])
    assert found is not None
    assert found.same_gc is not None
    assert found.percentile > 0.7
    assert found.p <= 0.01
    assert found.same_gc < 0.6


@pytest.mark.parametrize("words", [("AAA", "AAC"), ("AAA", "TTT")])
def test_kmers_without_reverse_complements_or_others_beside_them_have_no_check(words: tuple[str, str]) -> None:
    kmers = np.array([TOKENIZER.vocabulary.index(word) for word in words])
    assert neighbours.rank_reverse_complements(np.ones((2, 4), np.float32), kmers, TOKENIZER, 0) is None


def test_kmers_that_were_not_learnt_take_no_part() -> None:
    learnt = np.flatnonzero((KMERS != 5) & (KMERS != 40))
    found = neighbours.rank_reverse_complements(random()[learnt], KMERS[learnt], TOKENIZER, 0)
    assert found is not None
    assert found.kmers == 60
    rows = neighbours.nearest(random()[learnt], KMERS[learnt], TOKENIZER, np.arange(TOKENIZER.vocabulary_size))
    assert not {TOKENIZER.vocabulary[5], TOKENIZER.vocabulary[40]} & {
        word for row in rows for word in (row[0], *dict(row[1]))
    }


def test_nearest_kmers_are_those_of_highest_cosine() -> None:
    vectors = random()
    rows = neighbours.nearest(vectors, KMERS, TOKENIZER, np.arange(TOKENIZER.vocabulary_size))
    assert rows[0][0] == "TTT"
    for kmer, near in rows:
        mine = vectors[TOKENIZER.vocabulary.index(kmer) - 3]
        cosine = vectors @ mine / np.linalg.norm(vectors, axis=1) / np.linalg.norm(mine)
        order = [TOKENIZER.vocabulary[3 + one] for one in np.argsort(-cosine)]
        assert [other for other, _ in near] == order[1:6]
        assert near[0][1] == pytest.approx(cosine[np.argsort(-cosine)[1]], abs=1e-6)
