"""What stands near what: nearest k-mers by cosine, and whether a k-mer's reverse complement is nearer than chance.

The check compares the mean rank of all reverse complements with that in random pairings of the same k-mers, 999 of them:
among all k-mers, and among those of the same number of G and C, which alone makes k-mers alike. At most 4,096 k-mers, drawn
by seed, are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipelines import fingerprint
from pipelines.tokenizer import Tokenizer

MOST_KMERS = 4096
PERMUTATIONS = 999
SHOWN, NEAREST = 8, 5
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Mirror:
    """How near reverse complements are.

    Attributes:
        kmers: that have a reverse complement other than themselves.
        percentile: mean share of the other k-mers that are less near than the reverse complement; by chance 0.5. It is the
            probability that the reverse complement is nearer than another k-mer (AUC).
        p: share of random pairings whose mean is as high.
        same_gc: the percentile among k-mers with as many G and C; None where no k-mer has another to be compared with.
        same_gc_p: share of random pairings within them.
    """

    kmers: int
    percentile: float
    p: float
    same_gc: float | None
    same_gc_p: float | None


def kmers_of(tokenizer: Tokenizer) -> Numbers:
    """The ids of whole k-mers, ascending."""
    return np.flatnonzero((tokenizer.letters < 4).all(axis=1))


def cosines(vectors: Tensor, ids: Numbers) -> Floats:
    """Of every pair of ids, -2 on the diagonal, shape (ids, ids)."""
    some = vectors.numpy()[ids].astype(np.float64)
    some /= np.maximum(np.linalg.norm(some, axis=1, keepdims=True), 1e-12)
    found = some @ some.T
    np.fill_diagonal(found, -2)
    return found


def mirror(vectors: Tensor, tokenizer: Tokenizer, seed: int) -> Mirror | None:
    """The check; None where no two k-mers are each other's reverse complement."""
    generator = np.random.default_rng(fingerprint.seed(seed, "reverse complements"))
    kmers = kmers_of(tokenizer)
    other = tokenizer.reverse_complements.astype(np.int64)[kmers]
    firsts = kmers[(kmers < other) & np.isin(other, kmers)]
    if len(firsts) > MOST_KMERS // 2:
        firsts = np.sort(generator.choice(firsts, MOST_KMERS // 2, replace=False))
    if not len(firsts):
        return None
    ids = np.concatenate([firsts, tokenizer.reverse_complements.astype(np.int64)[firsts]])
    near = cosines(vectors, ids)
    strong = np.isin(tokenizer.letters[ids], (1, 2)).sum(axis=1)
    pairs = np.stack([np.arange(len(firsts)), np.arange(len(firsts)) + len(firsts)], axis=1)
    everywhere = np.zeros(len(ids), np.int64)
    percentile, p = _compared(near, pairs, everywhere, generator)
    same_gc, same_gc_p = _compared(near, pairs, strong, generator)
    assert percentile is not None
    assert p is not None
    return Mirror(len(ids), percentile, p, same_gc, same_gc_p)


def _compared(
    near: Floats, pairs: Numbers, group: Numbers, generator: np.random.Generator
) -> tuple[float | None, float | None]:
    """Mean percentile of partners among the others of their group, and how often random pairings within groups reach it."""
    ranks = np.full(near.shape, np.nan)
    for one in np.unique(group):
        members = np.flatnonzero(group == one)
        if len(members) > 2:
            order = near[np.ix_(members, members)].argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
            # The token itself has rank 0; the least near of the others has rank 1.
            ranks[np.ix_(members, members)] = (order - 1) / (len(members) - 2)
    inside = pairs[~np.isnan(ranks[pairs[:, 0], pairs[:, 1]])]
    if not len(inside):
        return None, None

    def mean(paired: Numbers) -> float:
        return float((ranks[paired[:, 0], paired[:, 1]] + ranks[paired[:, 1], paired[:, 0]]).mean() / 2)

    found = mean(inside)
    groups = [np.flatnonzero(group == one) for one in np.unique(group[inside[:, 0]])]
    reached = 0
    for _ in range(PERMUTATIONS):
        shuffled = np.concatenate([generator.permutation(members).reshape(-1, 2) for members in groups])
        reached += mean(shuffled) >= found
    return found, (1 + reached) / (1 + PERMUTATIONS)


def nearest(
    vectors: Tensor, tokenizer: Tokenizer, tokens: NDArray[np.int64]
) -> list[tuple[str, list[tuple[str, float]]]]:
    """The nearest k-mers of some: the most frequent and others evenly down the list.

    Args:
        vectors: of all ids, shape (ids, dimension).
        tokenizer: whose ids they are.
        tokens: occurrences of each id, shape (ids,).

    Returns:
        k-mers, each with its nearest and their cosines.
    """
    kmers = kmers_of(tokenizer)
    frequent = kmers[np.argsort(-tokens[kmers], kind="stable")]
    shown = frequent[np.unique(np.linspace(0, len(frequent) - 1, SHOWN).astype(int))]
    vocabulary = tokenizer.vocabulary
    scaled = vectors.numpy()[kmers].astype(np.float64)
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    rows = []
    for one in shown:
        near = scaled @ scaled[np.searchsorted(kmers, one)]
        near[np.searchsorted(kmers, one)] = -2
        best = np.argsort(-near, kind="stable")[: min(NEAREST, len(kmers) - 1)]
        rows.append((vocabulary[one], [(vocabulary[kmers[number]], float(near[number])) for number in best]))
    return rows
