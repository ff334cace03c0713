from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.tokens.tokenizer import Tokenizer
from tests.training.embed.test_masked_prediction import corpus_of
from training.embed import cooccurrence, shuffled_control, skipgram
from training.embed.config import EmbeddingConfig
from training.embed.shuffled_control import ReverseComplementCheck

THREE = Tokenizer(3, 1, "drop")


def check(codes: np.ndarray, **keys: float) -> ReverseComplementCheck:
    corpus = replace(corpus_of(codes, codes[:100], THREE, EmbeddingConfig.model_validate(keys)), both_strands=True)
    counts = cooccurrence.count(
        map(corpus.tokens, corpus.train()), THREE.vocabulary_size, corpus.first_distance, corpus.config.window
    )
    learnt, delivered = (
        skipgram.learn(counts, THREE, 16, config, lambda: None)
        for config in (shuffled_control.one_strand(corpus.config), corpus.config)
    )
    result = shuffled_control.check(corpus, learnt, delivered, 16, lambda: None)
    assert result is not None
    return result


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in (1, 2))])
def test_random_sequence_is_not_above_chance_however_the_vectors_are_shaped(seed: int) -> None:
    result = check(
        np.random.default_rng(seed).integers(0, 4, 200_000),
        opposite_strand_weight=0.5,
        shared_bases_share=0.8,
        reverse_complement_share=0.3,
    )
    assert not result.everywhere.is_above
    assert result.same_gc is not None
    assert not result.same_gc.is_above
    assert result.delivered.percentile > 0.8


def test_sequence_whose_strands_are_mixed_in_every_window_is_above_chance() -> None:
    # Words of four neighbourhoods that are each other's reverse complements stand together.
    generator = np.random.default_rng(1)
    kinds = [generator.integers(0, 4, (6, 3)) for _ in range(4)]
    kinds = [np.concatenate([kind, 3 - kind[:, ::-1]]) for kind in kinds]
    codes = np.concatenate([kinds[generator.integers(4)][generator.integers(0, 12, 8)].ravel() for _ in range(6_000)])
    assert check(codes, opposite_strand_weight=0, shared_bases_share=0, reverse_complement_share=0).everywhere.is_above


def test_the_check_is_the_same_however_similarity_is_imposed() -> None:
    codes = np.random.default_rng(4).integers(0, 4, 50_000)
    with_, without = (
        check(codes),
        check(codes, opposite_strand_weight=0, shared_bases_share=0, reverse_complement_share=0),
    )
    assert with_.everywhere == without.everywhere
    assert with_.delivered != without.delivered
    assert without.delivered.percentile == pytest.approx(without.everywhere.learnt, abs=1e-6)
