from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.tokenizer import Tokenizer
from training.embed import neighbours

TOKENIZER = Tokenizer(3, 1, "anchor")


def random(seed: int = 0) -> torch.Tensor:
    return torch.randn(TOKENIZER.vocabulary_size, 8, generator=torch.Generator().manual_seed(seed))


def test_reverse_complements_of_the_same_vector_rank_first() -> None:
    vectors = random()
    vectors = vectors + vectors[TOKENIZER.reverse_complements.astype(np.int64)]
    found = neighbours.mirror(vectors, TOKENIZER, 0)
    assert found is not None
    assert (found.kmers, found.percentile, found.same_gc) == (64, 1.0, 1.0)
    assert found.p == found.same_gc_p == 0.001


def test_random_vectors_are_at_chance() -> None:
    found = [neighbours.mirror(random(seed), TOKENIZER, 0) for seed in range(5)]
    assert np.mean([one.percentile for one in found if one]) == pytest.approx(0.5, abs=0.06)
    assert max(one.p for one in found if one) > 0.2


def test_likeness_by_gc_alone_is_not_likeness_of_reverse_complements() -> None:
    strong = np.isin(TOKENIZER.letters, (1, 2)).sum(axis=1)
    vectors = random() + 3 * torch.randn(4, 8, generator=torch.Generator().manual_seed(9))[strong]
    found = neighbours.mirror(vectors, TOKENIZER, 0)
    assert found is not None
    assert found.same_gc is not None
    assert found.percentile > 0.7
    assert found.p <= 0.01
    assert found.same_gc < 0.6


def test_a_vocabulary_without_reverse_complements_has_no_check() -> None:
    counts = np.zeros(TOKENIZER.vocabulary_size, np.int64)
    counts[[TOKENIZER.vocabulary.index(word) for word in ("AAA", "AAC")]] = 1
    assert neighbours.mirror(torch.ones(5, 4), TOKENIZER.observed(counts, 1), 0) is None


def test_nearest_kmers_are_those_of_highest_cosine() -> None:
    vectors = random()
    rows = neighbours.nearest(vectors, TOKENIZER, np.arange(TOKENIZER.vocabulary_size))
    assert rows[0][0] == "TTT"
    for kmer, near in rows:
        mine = vectors[TOKENIZER.vocabulary.index(kmer)]
        cosine = torch.nn.functional.cosine_similarity(mine, vectors[3:], dim=1).numpy()
        order = [TOKENIZER.vocabulary[3 + one] for one in np.argsort(-cosine)]
        assert [other for other, _ in near] == order[1:6]
        assert near[0][1] == pytest.approx(cosine[np.argsort(-cosine)[1]], abs=1e-6)
