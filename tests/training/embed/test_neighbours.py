from __future__ import annotations

import numpy as np
import pytest

from pipelines.tokens.tokenizer import Tokenizer
from training.embed import neighbours

TOKENIZER = Tokenizer(3, 1, "anchor")


KMERS = np.arange(3, TOKENIZER.vocabulary_size)
COMPLEMENTS = TOKENIZER.reverse_complements.astype(np.int64)[KMERS] - 3


def random(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((len(KMERS), 8)).astype(np.float32)


def rank(vectors: np.ndarray) -> neighbours.ReverseComplementRanks | None:
    return neighbours.rank_reverse_complements(vectors, KMERS, TOKENIZER, 0)


def test_reverse_complements_of_the_same_vector_rank_first() -> None:
    vectors = random()
    ranks = rank(vectors + vectors[COMPLEMENTS])
    assert ranks is not None
    assert (ranks.kmers, ranks.same_gc_kmers, ranks.percentile, ranks.same_gc) == (64, 64, 1.0, 1.0)
    assert ranks.p == ranks.same_gc_p == 0.001


def test_random_vectors_are_at_chance() -> None:
    results = [rank(random(seed)) for seed in range(5)]
    assert np.mean([ranks.percentile for ranks in results if ranks]) == pytest.approx(0.5, abs=0.06)
    assert max(ranks.p for ranks in results if ranks) > 0.2


def test_similarity_by_gc_alone_is_not_similarity_of_reverse_complements() -> None:
    strong = np.isin(TOKENIZER.letters[KMERS], (1, 2)).sum(axis=1)
    ranks = rank(random() + 3 * np.random.default_rng(9).standard_normal((4, 8)).astype(np.float32)[strong])
    assert ranks is not None
    assert ranks.same_gc is not None
    assert ranks.percentile > 0.7
    assert ranks.p <= 0.01
    assert ranks.same_gc < 0.6


@pytest.mark.parametrize("words", [("AAA", "AAC"), ("AAA", "TTT")])
def test_kmers_without_reverse_complements_or_other_kmers_have_no_ranks(words: tuple[str, str]) -> None:
    kmers = np.array([TOKENIZER.vocabulary.index(word) for word in words])
    assert neighbours.rank_reverse_complements(np.ones((2, 4), np.float32), kmers, TOKENIZER, 0) is None


def test_kmers_that_were_not_learnt_take_no_part() -> None:
    learnt = np.flatnonzero((KMERS != 5) & (KMERS != 40))
    ranks = neighbours.rank_reverse_complements(random()[learnt], KMERS[learnt], TOKENIZER, 0)
    assert ranks is not None
    assert ranks.kmers == 60
    rows = neighbours.nearest(random()[learnt], KMERS[learnt], TOKENIZER, np.arange(TOKENIZER.vocabulary_size))
    assert not {TOKENIZER.vocabulary[5], TOKENIZER.vocabulary[40]} & {
        word for row in rows for word in (row[0], *dict(row[1]))
    }


def test_nearest_kmers_are_those_of_highest_cosine() -> None:
    vectors = random()
    rows = neighbours.nearest(vectors, KMERS, TOKENIZER, np.arange(TOKENIZER.vocabulary_size))
    assert rows[0][0] == "TTT"
    for kmer, near in rows:
        vector = vectors[TOKENIZER.vocabulary.index(kmer) - 3]
        cosine = vectors @ vector / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vector)
        order = [TOKENIZER.vocabulary[3 + row] for row in np.argsort(-cosine)]
        assert [other for other, _ in near] == order[1:6]
        assert near[0][1] == pytest.approx(cosine[np.argsort(-cosine)[1]], abs=1e-6)
