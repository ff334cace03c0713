from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import PAD
from training import models
from training.config import ModelConfig
from training.models.initial_vectors import compositional


def test_kmers_that_share_bases_start_out_alike() -> None:
    tokenizer = Tokenizer(6, 3, "anchor")
    vectors = compositional(tokenizer.vocabulary, 64, seed=0)
    kmer_vector, near, far = (vectors[tokenizer.vocabulary.index(kmer)] for kmer in ("ACGTAC", "ACGTAG", "CATGCT"))
    assert torch.cosine_similarity(kmer_vector, near, dim=0) > 0.5
    assert abs(torch.cosine_similarity(kmer_vector, far, dim=0)) < 0.5


@pytest.mark.parametrize("k", [1, 3, 6])
def test_vectors_have_unit_variance_and_padding_is_zero(k: int) -> None:
    vectors = compositional(Tokenizer(k, 1, "anchor").vocabulary, 256, seed=1)
    assert (vectors[PAD] == 0).all()
    assert float(vectors[PAD + 1 :].std()) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("tail", ["anchor", "partial"])
def test_partial_and_observed_vocabularies_have_vectors_of_the_same_kind(tail: str) -> None:
    complete = Tokenizer(3, 3, tail)
    tokenizer = complete.restrict_to_observed(np.arange(complete.vocabulary_size) % 2, 1)
    vectors = compositional(tokenizer.vocabulary, 256, seed=1)
    assert len(vectors) == tokenizer.vocabulary_size
    assert float(vectors[PAD + 1 :].std()) == pytest.approx(1, abs=0.15)


def test_the_seed_decides_every_weight_of_a_fresh_model() -> None:
    def weights(seed: int) -> np.ndarray:
        model = models.fresh(ModelConfig(embedding=8, hidden=8, stem=8), Tokenizer(3, 1, "anchor"), seed)
        return torch.cat([parameter.flatten() for parameter in model.parameters()]).detach().numpy()

    assert (weights(0) == weights(0)).all()
    assert (weights(0) != weights(1)).any()
