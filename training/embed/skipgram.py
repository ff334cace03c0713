"""Skip-gram with negative sampling, its whole expected objective at every step.

What word2vec (Mikolov et al. 2013) draws pair by pair depends on the counts of pairs alone (Levy and Goldberg 2014), and
k-mers are few: so each step takes the gradient over all pairs and all negatives at once, instead of a sample. Nothing is
drawn but the first vectors, and the length of the genome does not matter. A step over 4,096 k-mers takes 0.1 to 0.2 s of
one core. It runs on one thread, so that bytes do not depend on the number of cores.
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
from training.embed import pairs
from training.embed.config import EmbeddingConfig
from training.embed.pairs import Pairs

_ROWS = 1024
_START = 0.1
_LEAST = 0.01


@dataclass(frozen=True)
class Learnt:
    """What was learnt.

    Attributes:
        vectors: of all ids, shape (ids, dimension).
        ids: of the k-mers that were learnt, ascending, shape (k-mers,).
        stretched: their vectors as the objective has them, before all directions are made alike, shape (k-mers, dimension).
        alike: the same after that, and before k-mers of common bases and reverse complements are drawn together.
    """

    vectors: Tensor
    ids: NDArray[np.int64]
    stretched: NDArray[np.float32]
    alike: NDArray[np.float32]


def learn(
    counted: Pairs, tokenizer: Tokenizer, dimension: int, config: EmbeddingConfig, told: Callable[[], object]
) -> Learnt:
    """Vectors of all ids.

    Args:
        counted: counts of the corpus.
        tokenizer: whose ids they are.
        dimension: of a vector.
        config: the section `embedding`.
        told: called after every step.

    Returns:
        Vectors in float32, of mean 0 and variance 1 over the k-mers that were learnt. Seldom and partial k-mers have the sum of
        their bases' parts (least squares over the others), `<unk>` and `<mask>` the mean of all occurrences, `<pad>` zeros.

    Raises:
        TrainingError: too few k-mers occur, or the vectors are no longer numbers.
    """
    often = np.flatnonzero((counted.near.sum(axis=1) > 0) & (counted.tokens >= config.min_count))
    pairs.enough(len(often), config.min_count)
    near = contexts(counted.near, often, tokenizer.reverse_complements.astype(np.int64), config.opposite_strand_weight)
    _thin(near, counted.tokens[often], config.subsample)
    generator = torch.Generator().manual_seed(fingerprint.seed(config.seed, "skip-gram"))
    first = torch.randn(2, len(often), dimension, generator=generator) * _START
    learnt = _descend(near, first, config, told).numpy()
    if not np.isfinite(learnt).all():
        raise TrainingError("the vectors are no longer numbers", "lower embedding.learning_rate")
    alike = whitened(learnt)
    shaped = mirrored(
        shared(alike, often, tokenizer, config.shared_bases_share), often, tokenizer, config.reverse_complement_share
    )
    return Learnt(completed(shaped, often, counted.tokens, tokenizer), often, learnt, alike)


def contexts(
    near: NDArray[np.int64], ids: NDArray[np.int64], reverse_complements: NDArray[np.int64], opposite: float
) -> NDArray[np.float32]:
    """Counts of contexts among some ids, those read on the other strand included, shape (some, some).

    Args:
        near: counts of all ids, shape (ids, ids).
        ids: shape (some,).
        reverse_complements: of all ids, shape (ids,).
        opposite: weight of the other strand's.
    """
    found = np.empty((len(ids), len(ids)), np.float32)
    for low in range(0, len(ids), _ROWS):
        rows = near[ids[low : low + _ROWS]]
        found[low : low + _ROWS] = rows[:, ids]
        if opposite:
            found[low : low + _ROWS] += opposite * rows[:, reverse_complements[ids]]
    return found


def _thin(near: NDArray[np.float32], tokens: NDArray[np.int64], subsample: float) -> None:
    """Leave of each pair what is left when frequent tokens are thinned out as in word2vec, in place."""
    if subsample:
        kept = np.minimum(np.sqrt(subsample * tokens.sum() / tokens), 1.0).astype(np.float32)
        near *= kept[:, None]
        near *= kept


def _descend(near: NDArray[np.float32], first: Tensor, config: EmbeddingConfig, told: Callable[[], object]) -> Tensor:
    """Adam over the whole objective; the vectors of tokens, shape (ids, dimension). The counts are scaled in place."""
    often = near.sum(axis=1, dtype=np.float64)
    drawn = near.sum(axis=0, dtype=np.float64) ** config.smoothing
    scale = len(near) / often.sum()
    near *= np.float32(scale)
    positive = torch.from_numpy(near)
    rows = torch.from_numpy((config.negatives * often * scale).astype(np.float32))
    columns = torch.from_numpy((drawn / drawn.sum()).astype(np.float32))
    vectors, context = (one.clone().requires_grad_() for one in first)
    optimizer = torch.optim.Adam([vectors, context], lr=config.learning_rate)
    for step in range(config.epochs):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 - step / config.epochs)
        with torch.no_grad():
            vectors.grad, context.grad = torch.zeros_like(vectors), torch.zeros_like(context)
            for low in range(0, len(near), _ROWS):
                some = slice(low, low + _ROWS)
                # Of -near log s(z) - negative log s(-z): negative s(z) - near s(-z).
                slope = torch.sigmoid(vectors[some] @ context.T)
                slope *= torch.addr(positive[some], rows[some], columns)
                slope -= positive[some]
                vectors.grad[some] = slope @ context
                context.grad += slope.T @ vectors[some]
        optimizer.step()
        told()
    return vectors.detach()


def whitened(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest vectors of mean 0 whose variance is 1 in every direction (ZCA), or less where there was hardly any.

    Frequent contexts rule the objective and stretch the vectors along few directions, in which the strand is hard to see; a model
    that starts from them would have to undo that first. Shape as given.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    sizes = np.maximum(sizes, _LEAST * max(sizes[0], 1e-12))
    turned = (centred @ directions.T / sizes @ directions) * np.sqrt(len(vectors))
    return turned.astype(np.float32)


def shared(
    vectors: NDArray[np.float32], ids: NDArray[np.int64], tokenizer: Tokenizer, share: float
) -> NDArray[np.float32]:
    """Vectors in which a share of the variance is what a k-mer's bases contribute each at its place, and the rest its own.

    k-mers that share bases are alike then, as in the start that models have otherwise. Both sides are projections of what was
    learnt. Shape as given; of variance 1.

    Args:
        vectors: of mean 0, shape (k-mers, dimension).
        ids: of the k-mers, shape (k-mers,).
        tokenizer: whose ids they are.
        share: 0 leaves the vectors as they are.
    """
    parts = _parts(tokenizer)[ids]
    common = parts @ np.linalg.lstsq(parts, vectors, rcond=None)[0]
    own = vectors - common
    if not share or min(common.std(), own.std()) < 1e-6:
        return vectors
    return (np.sqrt(share) * common / common.std() + np.sqrt(1 - share) * own / own.std()).astype(np.float32)


def mirrored(
    vectors: NDArray[np.float32], ids: NDArray[np.int64], tokenizer: Tokenizer, share: float
) -> NDArray[np.float32]:
    """Each vector with a share of its reverse complement's added (its own's, where that was not learnt); of variance 1, shape as given."""
    place = np.full(tokenizer.vocabulary_size, -1)
    place[ids] = np.arange(len(ids))
    other = place[tokenizer.reverse_complements.astype(np.int64)[ids]]
    found = vectors + share * vectors[np.where(other < 0, np.arange(len(ids)), other)]
    return (found / max(float(found.std()), 1e-9)).astype(np.float32)


def _parts(tokenizer: Tokenizer) -> NDArray[np.float64]:
    """Which base each id has at each place, less what is expected without knowing, shape (ids, 4 k)."""
    known = tokenizer.letters < 4
    return np.concatenate([(tokenizer.letters == base) - known / 4 for base in range(4)], axis=1)


def completed(
    learnt: NDArray[np.float32], often: NDArray[np.int64], tokens: NDArray[np.int64], tokenizer: Tokenizer
) -> Tensor:
    """Vectors of all ids from those that were learnt.

    Args:
        learnt: shape (learnt ids, dimension).
        often: their ids, ascending.
        tokens: occurrences of each id, shape (ids,).
        tokenizer: whose ids they are.
    """
    parts = np.concatenate([_parts(tokenizer), np.ones((len(tokens), 1))], axis=1)
    vectors = parts @ np.linalg.lstsq(parts[often], learnt, rcond=None)[0]
    vectors[often] = learnt
    share = tokens[often] / tokens[often].sum()
    vectors[: len(SPECIALS)] = share @ learnt
    vectors[PAD] = 0
    return torch.from_numpy(vectors.astype(np.float32))
