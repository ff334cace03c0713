"""What stands near what among k-mers that vectors were learnt for: the nearest by cosine, and where a reverse complement ranks.

The mean rank of all reverse complements is set beside that in random pairings of the same k-mers, 999 of them: among all
k-mers, and among those of the same number of G and C, which alone makes k-mers alike. At most 4,096 k-mers, drawn by seed,
are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.tokens.tokenizer import Tokenizer

MOST_KMERS = 4096
PERMUTATIONS = 999
SHOWN, NEAREST = 8, 5
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Mirror:
    """How near reverse complements are.

    Attributes:
        kmers: that have a reverse complement other than themselves, both learnt.
        same_gc_kmers: those of them that have others with as many G and C.
        percentile: mean share of the other k-mers that are less near than the reverse complement; by chance 0.5. It is the
            probability that the reverse complement is nearer than another k-mer (AUC).
        p: share of random pairings whose mean is as high.
        same_gc: the percentile among k-mers with as many G and C; None where no k-mer has another to be compared with.
        same_gc_p: share of random pairings within them.
    """

    kmers: int
    same_gc_kmers: int
    percentile: float
    p: float
    same_gc: float | None
    same_gc_p: float | None


def cosines(vectors: NDArray[np.float32]) -> Floats:
    """Of every pair of vectors, -2 on the diagonal, shape (vectors, vectors)."""
    some = vectors.astype(np.float64)
    some /= np.maximum(np.linalg.norm(some, axis=1, keepdims=True), 1e-12)
    found = some @ some.T
    np.fill_diagonal(found, -2)
    return found


def mirror(vectors: NDArray[np.float32], kmers: Numbers, tokenizer: Tokenizer, seed: int) -> Mirror | None:
    """Where reverse complements rank; None where no two k-mers are each other's.

    Args:
        vectors: shape (k-mers, dimension).
        kmers: their ids, ascending, shape (k-mers,).
        tokenizer: whose ids they are.
        seed: of the k-mers looked at and of random pairings.
    """
    generator = np.random.default_rng(fingerprint.seed(seed, "reverse complements"))
    other = tokenizer.reverse_complements.astype(np.int64)[kmers]
    firsts = kmers[(kmers < other) & np.isin(other, kmers)]
    if len(firsts) > MOST_KMERS // 2:
        firsts = np.sort(generator.choice(firsts, MOST_KMERS // 2, replace=False))
    if not len(firsts):
        return None
    ids = np.concatenate([firsts, tokenizer.reverse_complements.astype(np.int64)[firsts]])
    near = cosines(vectors[np.searchsorted(kmers, ids)])
    strong = np.isin(tokenizer.letters[ids], (1, 2)).sum(axis=1)
    pairs = np.stack([np.arange(len(firsts)), np.arange(len(firsts)) + len(firsts)], axis=1)
    everywhere = np.zeros(len(ids), np.int64)
    _, percentile, p = _compared(near, pairs, everywhere, generator)
    compared, same_gc, same_gc_p = _compared(near, pairs, strong, generator)
    if percentile is None or p is None:
        return None
    return Mirror(len(ids), 2 * compared, percentile, p, same_gc, same_gc_p)


def _compared(
    near: Floats, pairs: Numbers, group: Numbers, generator: np.random.Generator
) -> tuple[int, float | None, float | None]:
    """Pairs that have others in their group, mean percentile of partners among the others of their group, and how often random pairings within groups reach it."""
    ranks = np.full(near.shape, np.nan)
    for one in np.unique(group):
        members = np.flatnonzero(group == one)
        if len(members) > 2:
            order = near[np.ix_(members, members)].argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
            # The token itself has rank 0; the least near of the others has rank 1.
            ranks[np.ix_(members, members)] = (order - 1) / (len(members) - 2)
    inside = pairs[~np.isnan(ranks[pairs[:, 0], pairs[:, 1]])]
    if not len(inside):
        return 0, None, None

    def mean(paired: Numbers) -> float:
        return float((ranks[paired[:, 0], paired[:, 1]] + ranks[paired[:, 1], paired[:, 0]]).mean() / 2)

    found = mean(inside)
    groups = [np.flatnonzero(group == one) for one in np.unique(group[inside[:, 0]])]
    reached = 0
    for _ in range(PERMUTATIONS):
        shuffled = np.concatenate([generator.permutation(members).reshape(-1, 2) for members in groups])
        reached += mean(shuffled) >= found
    return len(inside), found, (1 + reached) / (1 + PERMUTATIONS)


def nearest(
    vectors: NDArray[np.float32], kmers: Numbers, tokenizer: Tokenizer, tokens: NDArray[np.int64]
) -> list[tuple[str, list[tuple[str, float]]]]:
    """The nearest k-mers of some: the most frequent and others evenly down the list.

    Args:
        vectors: shape (k-mers, dimension).
        kmers: their ids, ascending, shape (k-mers,).
        tokenizer: whose ids they are.
        tokens: occurrences of each id, shape (ids,).

    Returns:
        k-mers, each with its nearest and their cosines.
    """
    frequent = np.argsort(-tokens[kmers], kind="stable")
    shown = frequent[np.unique(np.linspace(0, len(frequent) - 1, SHOWN).astype(int))]
    vocabulary = tokenizer.vocabulary
    scaled = vectors.astype(np.float64)
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    rows = []
    for one in shown:
        near = scaled @ scaled[one]
        near[one] = -2
        best = np.argsort(-near, kind="stable")[: min(NEAREST, len(kmers) - 1)]
        rows.append((vocabulary[kmers[one]], [(vocabulary[kmers[number]], float(near[number])) for number in best]))
    return rows
