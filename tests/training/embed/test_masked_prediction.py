from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import TrainingError
from pipelines.genome.sequence import OTHER
from pipelines.tokens.tokenizer import Tokenizer
from tests.hypothesis_profiles import examples
from training.embed import masked_prediction
from training.embed.config import EmbeddingConfig
from training.embed.corpus import Corpus, lay_out
from training.embed.markov import ORDER
from training.models.initial_vectors import compositional

CONFIG = EmbeddingConfig(head_window=6, head_positions=20_000, scored=3_000)


def corpus_of(
    train: np.ndarray, held_out: np.ndarray, tokenizer: Tokenizer, config: EmbeddingConfig = CONFIG
) -> Corpus:
    def rows(codes: np.ndarray):  # type: ignore[no-untyped-def]
        return lambda: iter([(codes.astype(np.uint8), np.array([len(codes)]))])

    return Corpus(tokenizer, config, False, rows(train), rows(held_out), {}, "a sequence")


@examples(60)
@given(k=st.integers(1, 7), stride=st.integers(1, 7), length=st.integers(11, 60), seed=st.integers(0, 99))
def test_no_visible_token_shares_a_base_with_the_hidden_one(k: int, stride: int, length: int, seed: int) -> None:
    stride = min(k, stride)
    corpus = corpus_of(np.zeros(1), np.zeros(1), Tokenizer(k, stride, "drop"))
    generator = np.random.default_rng(seed)
    codes = lay_out(generator.integers(0, 4, length).astype(np.uint8), np.array([length]), stride, corpus.gap)
    starts = masked_prediction.candidate_starts(codes, k, stride)
    before = masked_prediction.mask(corpus, codes, starts)
    for row, start in enumerate(starts):
        changed = codes.copy()
        changed[start : start + k] = (changed[start : start + k] + generator.integers(1, 4, k)) % 4
        after = masked_prediction.mask(corpus, changed, starts[row : row + 1])
        assert (after.contexts == before.contexts[row]).all()
        assert (after.left, after.right) == (before.left[row], before.right[row])
        assert after.hidden[0] != before.hidden[row]
        nearest = max(0, k - 1)
        changed = codes.copy()
        changed[[start - 1, start + k]] = (changed[[start - 1, start + k]] + 1) % 4
        if stride == 1 and nearest < ORDER:
            assert (
                masked_prediction.mask(corpus, changed, starts[row : row + 1]).contexts != before.contexts[row]
            ).any()


def test_scored_positions_are_those_with_five_known_bases_on_either_side() -> None:
    codes = np.random.default_rng(0).choice(5, 500, p=[0.24, 0.24, 0.24, 0.24, 0.04]).astype(np.uint8)
    codes[:20] = codes[-20:] = OTHER
    expected = [
        start
        for start in range(0, len(codes), 2)
        if start >= ORDER and start + 3 + ORDER <= len(codes) and OTHER not in codes[start - ORDER : start + 3 + ORDER]
    ]
    assert masked_prediction.candidate_starts(codes, 3, 2).tolist() == expected


def test_positions_are_sampled_evenly_and_by_seed() -> None:
    generator = np.random.default_rng(4)
    codes = generator.integers(0, 4, 20_000)
    corpus = corpus_of(codes, codes, Tokenizer(3, 1, "drop"))
    sampled = masked_prediction.sample_positions(corpus, held_out=True, limit=2_000)
    assert 1_800 < len(sampled.hidden) < 2_200
    again = masked_prediction.sample_positions(corpus, held_out=True, limit=2_000)
    assert (sampled.contexts == again.contexts).all()
    other = replace(corpus, config=CONFIG.model_copy(update={"seed": 1}))
    assert len(masked_prediction.sample_positions(other, held_out=True, limit=2_000).hidden) != len(sampled.hidden)


def test_sequence_without_a_position_is_an_error() -> None:
    corpus = corpus_of(np.zeros(300), np.full(300, OTHER), Tokenizer(3, 1, "drop"))
    with pytest.raises(TrainingError, match="held-out sequence: no k-mer with five known bases"):
        masked_prediction.sample_positions(corpus, held_out=True, limit=10)


def test_what_lies_beyond_five_bases_is_seen_by_the_head_and_not_by_markov_models() -> None:
    # Each base is the complement of the one eight before it, but for one in ten.
    generator = np.random.default_rng(5)
    codes = generator.integers(0, 4, 30_000)
    for start in range(8, len(codes)):
        if generator.random() < 0.9:
            codes[start] = 3 - codes[start - 8]
    tokenizer = Tokenizer(3, 1, "drop")
    corpus = corpus_of(codes[:24_000], codes[24_000:], tokenizer)
    train, held_out = (
        masked_prediction.sample_positions(corpus, held_out=side, limit=20_000) for side in (False, True)
    )
    vectors = compositional(tokenizer.vocabulary, 16, 0)
    accuracies = masked_prediction.score(
        vectors, train, held_out, masked_prediction.fit_markov(corpus), corpus, lambda: None
    )
    assert accuracies.embedding > 0.4 > 5 * accuracies.most_frequent
    # Random vectors of 16 numbers tell 64 k-mers apart nearly as well: it is the head that sees further.
    assert accuracies.random_vectors > 0.2
    assert accuracies.over_markov.difference == pytest.approx(
        accuracies.embedding - max(accuracies.markov_left, accuracies.markov_both)
    )
    assert accuracies.over_random_vectors.difference == pytest.approx(accuracies.embedding - accuracies.random_vectors)
    assert accuracies.markov_left < 0.1
    assert accuracies.markov_both < 0.2
    assert accuracies.positions == len(held_out.hidden)


def test_the_standard_error_of_a_difference_is_that_of_paired_differences() -> None:
    generator = np.random.default_rng(8)
    first, second = generator.random(1_000) < 0.3, generator.random(1_000) < 0.2
    comparison = masked_prediction.AccuracyDifference.from_hits(first, second)
    differences = first.astype(float) - second
    assert comparison.difference == pytest.approx(differences.mean())
    assert comparison.standard_error == pytest.approx(differences.std() / 1_000**0.5)
    assert comparison.discordant == np.abs(differences).sum()
    assert masked_prediction.AccuracyDifference.from_hits(first, first) == masked_prediction.AccuracyDifference(0, 0, 0)
