"""Skip-gram with negative sampling, with the whole expected objective at every step.

What word2vec (Mikolov et al. 2013) draws pair by pair depends on the counts of pairs alone (Levy and Goldberg 2014),
and k-mers are few: so each step takes the gradient over all pairs and all negatives at once, instead of a sample. Only
the initial vectors are random, and the length of the genome does not matter. A step over 4,096 k-mers takes 0.1 to
0.2 s of one core. It runs on one thread, so that bytes do not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines import fingerprint
from pipelines.errors import TrainingError
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import PAD, SPECIALS
from training import eager_optimizers
from training.embed import cooccurrence
from training.embed.config import EmbeddingConfig
from training.embed.cooccurrence import Cooccurrences

_ROWS_AT_ONCE = 1024
_INITIAL_SCALE = 0.1
# Directions with less than this share of the largest singular value are not scaled up to the others.
_MIN_SINGULAR_SHARE = 0.01


@dataclass(frozen=True)
class KmerVectors:
    """Vectors of a vocabulary, and the stages of those that were learnt.

    Attributes:
        vectors: of all ids, shape (ids, dimension).
        ids: ids of the k-mers whose vectors were learnt, ascending, shape (k-mers,).
        raw: their vectors as the objective gives them, before whitening, shape (k-mers, dimension).
        whitened: the same whitened, before k-mers of common bases and reverse complements are drawn together.
    """

    vectors: Tensor
    ids: NDArray[np.int64]
    raw: NDArray[np.float32]
    whitened: NDArray[np.float32]


def learn(
    counts: Cooccurrences, tokenizer: Tokenizer, dimension: int, config: EmbeddingConfig, on_step: Callable[[], object]
) -> KmerVectors:
    """Learn vectors of all ids.

    Args:
        counts: counts of the corpus.
        tokenizer: the tokenizer of the ids.
        dimension: of a vector.
        config: the section `embedding`.
        on_step: called after every step.

    Returns:
        Vectors in float32, of mean 0 and variance 1 over the k-mers that were learnt. Rare and partial k-mers have the
        sum of their bases' parts (least squares over the others), `<unk>` and `<mask>` the mean of all occurrences,
        `<pad>` zeros.

    Raises:
        TrainingError: too few k-mers occur, or the vectors are no longer finite.
    """
    ids = np.flatnonzero((counts.pairs.sum(axis=1) > 0) & (counts.tokens >= config.min_count))
    cooccurrence.require_enough_kmers(len(ids), config.min_count)
    complements = tokenizer.reverse_complements.astype(np.int64)
    contexts = context_counts(counts.pairs, ids, complements, config.opposite_strand_weight)
    _subsample(contexts, counts.tokens[ids], config.subsample)
    generator = torch.Generator().manual_seed(fingerprint.seed(config.seed, "skip-gram"))
    initial = torch.randn(2, len(ids), dimension, generator=generator) * _INITIAL_SCALE
    raw = _optimize(contexts, initial, config, on_step).numpy()
    if not np.isfinite(raw).all():
        raise TrainingError("the vectors are no longer finite numbers", "lower embedding.learning_rate")
    whitened = whiten(raw)
    shaped = share_bases(whitened, ids, tokenizer, config.shared_bases_share)
    shaped = add_reverse_complements(shaped, ids, tokenizer, config.reverse_complement_share)
    return KmerVectors(complete(shaped, ids, counts.tokens, tokenizer), ids, raw, whitened)


def context_counts(
    pairs: NDArray[np.int64], ids: NDArray[np.int64], reverse_complements: NDArray[np.int64], opposite: float
) -> NDArray[np.float32]:
    """Counts of contexts among some ids, with those read on the other strand, shape (chosen ids, chosen ids).

    Args:
        pairs: counts of all ids, shape (ids, ids).
        ids: the chosen ids, shape (chosen ids,).
        reverse_complements: of all ids, shape (ids,).
        opposite: weight of contexts on the other strand.
    """
    contexts = np.empty((len(ids), len(ids)), np.float32)
    for low in range(0, len(ids), _ROWS_AT_ONCE):
        rows = pairs[ids[low : low + _ROWS_AT_ONCE]]
        contexts[low : low + _ROWS_AT_ONCE] = rows[:, ids]
        if opposite:
            contexts[low : low + _ROWS_AT_ONCE] += opposite * rows[:, reverse_complements[ids]]
    return contexts


def _subsample(contexts: NDArray[np.float32], tokens: NDArray[np.int64], threshold: float) -> None:
    """Scale counts in place to what is left of them when frequent tokens are subsampled as in word2vec."""
    if threshold:
        probability = np.minimum(np.sqrt(threshold * tokens.sum() / tokens), 1.0).astype(np.float32)
        contexts *= probability[:, None]
        contexts *= probability


def _optimize(
    contexts: NDArray[np.float32], initial: Tensor, config: EmbeddingConfig, on_step: Callable[[], object]
) -> Tensor:
    """Minimise the whole objective with Adam; returns the vectors of tokens, shape (ids, dimension).

    Args:
        contexts: counts as `context_counts` gives them, shape (ids, ids); scaled in place.
        initial: vectors of tokens and of contexts, shape (2, ids, dimension).
        config: the section `embedding`.
        on_step: called after every step.
    """
    row_sums = contexts.sum(axis=1, dtype=np.float64)
    noise = contexts.sum(axis=0, dtype=np.float64) ** config.smoothing
    # To a mean of one positive pair a token, so that the learning rate does not depend on the length of the genome.
    scale = len(contexts) / row_sums.sum()
    contexts *= np.float32(scale)
    positive = torch.from_numpy(contexts)
    rows = torch.from_numpy((config.negatives * row_sums * scale).astype(np.float32))
    columns = torch.from_numpy((noise / noise.sum()).astype(np.float32))
    vectors, context_vectors = (part.clone().requires_grad_() for part in initial)
    optimizer = eager_optimizers.Adam([vectors, context_vectors], lr=config.learning_rate)
    for step in range(config.epochs):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 - step / config.epochs)
        with torch.no_grad():
            vectors.grad, context_vectors.grad = torch.zeros_like(vectors), torch.zeros_like(context_vectors)
            for low in range(0, len(contexts), _ROWS_AT_ONCE):
                batch = slice(low, low + _ROWS_AT_ONCE)
                # The gradient of -positive log s(z) - negative log s(-z): negative s(z) - positive s(-z).
                slope = torch.sigmoid(vectors[batch] @ context_vectors.T)
                slope *= torch.addr(positive[batch], rows[batch], columns)
                slope -= positive[batch]
                vectors.grad[batch] = slope @ context_vectors
                context_vectors.grad += slope.T @ vectors[batch]
        optimizer.step()
        on_step()
    return vectors.detach()


def whiten(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest vectors of mean 0 with variance 1 in every direction (ZCA), or less where there was hardly any.

    Frequent contexts dominate the objective and stretch the vectors along few directions, in which the strand is hard
    to see; a model that starts from them would have to undo that first. Shape as given.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    sizes = np.maximum(sizes, _MIN_SINGULAR_SHARE * max(sizes[0], 1e-12))
    turned = (centred @ directions.T / sizes @ directions) * np.sqrt(len(vectors))
    return turned.astype(np.float32)


def share_bases(
    vectors: NDArray[np.float32], ids: NDArray[np.int64], tokenizer: Tokenizer, share: float
) -> NDArray[np.float32]:
    """Vectors in which a share of the variance is what each base contributes at its position, the rest a k-mer's own.

    k-mers that share bases are then alike, as in the initial vectors that models have otherwise. Both parts are
    projections of what was learnt. Shape as given; of variance 1.

    Args:
        vectors: of mean 0, shape (k-mers, dimension).
        ids: ids of the k-mers, shape (k-mers,).
        tokenizer: the tokenizer of the ids.
        share: share of the variance; 0 leaves the vectors as they are.
    """
    parts = _base_indicators(tokenizer)[ids]
    common = parts @ np.linalg.lstsq(parts, vectors, rcond=None)[0]
    own = vectors - common
    if not share or min(common.std(), own.std()) < 1e-6:
        return vectors
    return (np.sqrt(share) * common / common.std() + np.sqrt(1 - share) * own / own.std()).astype(np.float32)


def add_reverse_complements(
    vectors: NDArray[np.float32], ids: NDArray[np.int64], tokenizer: Tokenizer, share: float
) -> NDArray[np.float32]:
    """Add to each vector a share of its reverse complement's, or of its own if that was not learnt.

    Shape as given; of variance 1.
    """
    row_of_id = np.full(tokenizer.vocabulary_size, -1)
    row_of_id[ids] = np.arange(len(ids))
    partner = row_of_id[tokenizer.reverse_complements.astype(np.int64)[ids]]
    mixed = vectors + share * vectors[np.where(partner < 0, np.arange(len(ids)), partner)]
    return (mixed / max(float(mixed.std()), 1e-9)).astype(np.float32)


def _base_indicators(tokenizer: Tokenizer) -> NDArray[np.float64]:
    """Which base each id has at each position, minus the expectation of a quarter, shape (ids, 4 k)."""
    known = tokenizer.letters < 4
    return np.concatenate([(tokenizer.letters == base) - known / 4 for base in range(4)], axis=1)


def complete(
    learnt: NDArray[np.float32], ids: NDArray[np.int64], tokens: NDArray[np.int64], tokenizer: Tokenizer
) -> Tensor:
    """Vectors of all ids from those that were learnt, shape (ids, dimension).

    Args:
        learnt: shape (learnt ids, dimension).
        ids: their ids, ascending, shape (learnt ids,).
        tokens: occurrences of each id, shape (ids,).
        tokenizer: the tokenizer of the ids.
    """
    parts = np.concatenate([_base_indicators(tokenizer), np.ones((len(tokens), 1))], axis=1)
    vectors = parts @ np.linalg.lstsq(parts[ids], learnt, rcond=None)[0]
    vectors[ids] = learnt
    share = tokens[ids] / tokens[ids].sum()
    vectors[: len(SPECIALS)] = share @ learnt
    vectors[PAD] = 0
    return torch.from_numpy(vectors.astype(np.float32))
