from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pipelines.errors import TrainingError
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import MASK, PAD, UNK
from training import eager_optimizers
from training.embed import skipgram
from training.embed.config import EmbeddingConfig
from training.embed.cooccurrence import Cooccurrences

TOKENIZER = Tokenizer(2, 1, "anchor")
SIZE = TOKENIZER.vocabulary_size


def cooccurrences_of(near: np.ndarray) -> Cooccurrences:
    near = near + near.T
    near[:3] = near[:, :3] = 0
    return Cooccurrences(near.sum(axis=1) // 2, near)


def learn(pairs: Cooccurrences, tokenizer: Tokenizer = TOKENIZER, **keys: Any) -> torch.Tensor:
    keys = {"shared_bases_share": 0, "reverse_complement_share": 0} | keys
    return skipgram.learn(pairs, tokenizer, 6, EmbeddingConfig.model_validate(keys), lambda: None).vectors


RANDOM = cooccurrences_of(np.random.default_rng(0).integers(20, 200, (SIZE, SIZE)))


def test_the_slope_is_that_of_the_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    near, first = (
        RANDOM.pairs[3:, 3:].astype(np.float32),
        torch.randn(2, 16, 6, generator=torch.Generator().manual_seed(2)),
    )
    gradients: list[torch.Tensor] = []

    class RecordingAdam(eager_optimizers.Adam):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            gradients.extend(tensor.grad.clone() for tensor in self.param_groups[0]["params"])

    monkeypatch.setattr(eager_optimizers, "Adam", RecordingAdam)
    skipgram._optimize(near.copy(), first, EmbeddingConfig(epochs=1), lambda: None)
    vectors, context = (tensor.clone().requires_grad_() for tensor in first)
    row_sums, noise = near.sum(axis=1), near.sum(axis=0) ** 0.75
    negative = torch.tensor(5 * row_sums[:, None] * noise / noise.sum(), dtype=torch.float32)
    z, positive = vectors @ context.T, torch.tensor(near, dtype=torch.float32)
    loss = -(positive * torch.nn.functional.logsigmoid(z) + negative * torch.nn.functional.logsigmoid(-z)).sum()
    (loss * len(near) / near.sum()).backward()
    for gradient, expected in zip(gradients, (vectors.grad, context.grad), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)


def test_kmers_of_similar_contexts_get_similar_vectors() -> None:
    near = np.full((SIZE, SIZE), 10)
    near[3:11, 3:7] = 200
    near[11:, 11:15] = 200
    vectors = learn(cooccurrences_of(near), opposite_strand_weight=0)[3:]
    cosine = torch.nn.functional.cosine_similarity(vectors[None, :8], vectors[:, None], dim=2)
    assert cosine[4:8].mean() > cosine[12:].mean() + 0.2


def test_the_same_counts_give_the_same_bytes_and_another_seed_others() -> None:
    assert torch.equal(learn(RANDOM, epochs=20), learn(RANDOM, epochs=20))
    assert not torch.equal(learn(RANDOM, epochs=20), learn(RANDOM, epochs=20, seed=1))


def test_contexts_of_the_other_strand_count_as_reverse_complements() -> None:
    reverse = TOKENIZER.reverse_complements.astype(np.int64)
    ids = np.array([3, 5, 7, 12])
    counts = skipgram.context_counts(RANDOM.pairs, ids, reverse, 0.5)
    assert counts.dtype == np.float32
    assert (counts == (RANDOM.pairs + 0.5 * RANDOM.pairs[:, reverse])[np.ix_(ids, ids)]).all()
    all_counts = skipgram.context_counts(RANDOM.pairs, np.arange(SIZE), reverse, 1)
    assert (all_counts == all_counts[:, reverse]).all()


def test_specials_have_sensible_vectors() -> None:
    vectors = learn(RANDOM, epochs=20)
    share = torch.from_numpy(RANDOM.tokens / RANDOM.tokens.sum()).float()
    assert (vectors[PAD] == 0).all()
    torch.testing.assert_close(vectors[UNK], share @ vectors)
    assert torch.equal(vectors[UNK], vectors[MASK])


def test_vectors_have_mean_zero_and_equal_variance_in_every_direction() -> None:
    vectors = learn(RANDOM, epochs=20)[3:].double()
    torch.testing.assert_close(vectors.mean(dim=0), torch.zeros(6).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(vectors.T @ vectors / 16, torch.eye(6).double(), rtol=0, atol=1e-4)


def test_what_kmers_with_the_same_bases_have_in_common_is_a_share_of_the_variance() -> None:
    raw, ids = np.random.default_rng(7).standard_normal((16, 6)).astype(np.float32), np.arange(3, 19)
    raw -= raw.mean(axis=0)
    shaped = skipgram.share_bases(raw, ids, TOKENIZER, 0.75)
    parts = skipgram._base_indicators(TOKENIZER)[ids]
    common = parts @ np.linalg.pinv(parts) @ shaped
    assert common.var() == pytest.approx(0.75, rel=1e-4)
    assert (shaped - common).var() == pytest.approx(0.25, rel=1e-4)
    assert np.array_equal(skipgram.share_bases(raw, ids, TOKENIZER, 0), raw)


def test_a_share_of_the_reverse_complement_draws_both_together() -> None:
    raw, ids = np.random.default_rng(8).standard_normal((16, 6)).astype(np.float32), np.arange(3, 19)
    complements = TOKENIZER.reverse_complements.astype(np.int64)[ids] - 3
    mixed = skipgram.add_reverse_complements(raw, ids, TOKENIZER, 0.25)
    expected = raw + 0.25 * raw[complements]
    np.testing.assert_allclose(mixed, expected / expected.std(), rtol=1e-5)
    without_complements = np.arange(3, 11)
    alone = skipgram.add_reverse_complements(raw[:8], without_complements, TOKENIZER, 0.25)
    assert np.isfinite(alone).all()


def test_directions_without_variance_are_not_blown_up() -> None:
    generator = np.random.default_rng(1)
    flat = generator.standard_normal((20, 2)) @ generator.standard_normal((2, 6)) + 1e-9 * generator.standard_normal(
        (20, 6)
    )
    assert np.abs(skipgram.whiten(flat.astype(np.float32))).max() < 10
    assert (skipgram.whiten(np.ones((20, 6), np.float32)) == 0).all()


def test_rare_and_partial_kmers_have_the_sum_of_their_bases_parts() -> None:
    tokenizer = Tokenizer(2, 2, "partial")
    letters = tokenizer.letters[3:19]
    parts = np.random.default_rng(3).standard_normal((2, 4, 6)).astype(np.float32)
    parts -= parts.mean(axis=1, keepdims=True)
    sums = parts[0, letters[:, 0]] + parts[1, letters[:, 1]]
    learnt = np.array([id_ for id_ in range(3, 19) if id_ not in (8, 13)])
    vectors = skipgram.complete(
        sums[learnt - 3], learnt, np.ones(tokenizer.vocabulary_size, np.int64), tokenizer
    ).numpy()
    np.testing.assert_allclose(vectors[3:19], sums, atol=1e-5)
    # A partial k-mer of one base is that base's part alone.
    np.testing.assert_allclose(vectors[19:], parts[0], atol=1e-5)


def test_frequent_tokens_can_be_subsampled() -> None:
    assert not torch.equal(learn(RANDOM, epochs=5, subsample=1e-3), learn(RANDOM, epochs=5))
    contexts = np.ones((2, 2), np.float32)
    skipgram._subsample(contexts, np.array([1, 99]), 0.25)
    np.testing.assert_allclose(contexts, [[1, (0.25 / 0.99) ** 0.5], [(0.25 / 0.99) ** 0.5, 0.25 / 0.99]], rtol=1e-6)


def test_too_little_sequence_is_an_error() -> None:
    with pytest.raises(TrainingError, match=r"0 k-mers occur 5 times or more near another: give more sequence"):
        learn(Cooccurrences(np.zeros(SIZE, np.int64), np.zeros((SIZE, SIZE), np.int64)))


def test_vectors_that_are_not_finite_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skipgram, "_INITIAL_SCALE", float("inf"))
    with pytest.raises(TrainingError, match=r"lower embedding.learning_rate"):
        learn(RANDOM, epochs=2)
