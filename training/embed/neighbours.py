"""Which k-mers have similar vectors: the nearest by cosine, and where a k-mer's reverse complement ranks among them.

The mean rank of all reverse complements is compared with that in random pairings of the same k-mers, 999 of them: among
all k-mers, and among those of the same number of G and C, which alone makes k-mers alike. At most 4,096 k-mers are
compared, drawn by seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint
from pipelines.tokens.tokenizer import Tokenizer

MAX_KMERS = 4096
PERMUTATIONS = 999
SHOWN, NEAREST = 8, 5
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class ReverseComplementRanks:
    """How similar reverse complements are.

    Attributes:
        kmers: number of k-mers that have a reverse complement other than themselves, both with learnt vectors.
        same_gc_kmers: how many of them have others with as many G and C.
        percentile: mean share of the other k-mers that are less similar than the reverse complement; by chance 0.5. It
            is the probability that the reverse complement is more similar than another k-mer (AUC).
        p: share of random pairings whose mean is as high.
        same_gc: the percentile among k-mers with as many G and C; None if no k-mer has another to be compared with.
        same_gc_p: share of random pairings among them whose mean is as high.
    """

    kmers: int
    same_gc_kmers: int
    percentile: float
    p: float
    same_gc: float | None
    same_gc_p: float | None


def cosines(vectors: NDArray[np.float32]) -> Floats:
    """Cosines of every pair of vectors, -2 on the diagonal, shape (vectors, vectors)."""
    unit = _unit_vectors(vectors)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    return similarity


def _unit_vectors(vectors: NDArray[np.float32]) -> Floats:
    scaled = vectors.astype(np.float64)
    scaled /= np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-12)
    return scaled


def rank_reverse_complements(
    vectors: NDArray[np.float32], kmers: Numbers, tokenizer: Tokenizer, seed: int
) -> ReverseComplementRanks | None:
    """Rank reverse complements by similarity; None if no two k-mers are each other's.

    Args:
        vectors: shape (k-mers, dimension).
        kmers: their ids, ascending, shape (k-mers,).
        tokenizer: the tokenizer of the ids.
        seed: seed of the k-mers compared and of the random pairings.
    """
    generator = np.random.default_rng(fingerprint.seed(seed, "reverse complements"))
    complements = tokenizer.reverse_complements.astype(np.int64)
    partners = complements[kmers]
    # The lower id of each pair; a k-mer that is its own reverse complement has no pair.
    firsts = kmers[(kmers < partners) & np.isin(partners, kmers)]
    if len(firsts) > MAX_KMERS // 2:
        firsts = np.sort(generator.choice(firsts, MAX_KMERS // 2, replace=False))
    if not len(firsts):
        return None
    ids = np.concatenate([firsts, complements[firsts]])
    similarity = cosines(vectors[np.searchsorted(kmers, ids)])
    gc = np.isin(tokenizer.letters[ids], (1, 2)).sum(axis=1)
    pairs = np.stack([np.arange(len(firsts)), np.arange(len(firsts)) + len(firsts)], axis=1)
    one_group = np.zeros(len(ids), np.int64)
    _, percentile, p = _rank_within_groups(similarity, pairs, one_group, generator)
    compared, same_gc, same_gc_p = _rank_within_groups(similarity, pairs, gc, generator)
    if percentile is None or p is None:
        return None
    return ReverseComplementRanks(len(ids), 2 * compared, percentile, p, same_gc, same_gc_p)


def _rank_within_groups(
    similarity: Floats, pairs: Numbers, group: Numbers, generator: np.random.Generator
) -> tuple[int, float | None, float | None]:
    """Rank partners among the others of their group, and compare with random pairings within groups.

    Args:
        similarity: of every pair of k-mers, lowest on the diagonal, shape (k-mers, k-mers).
        pairs: row numbers of partners, which are of one group, shape (pairs, 2).
        group: a number for each k-mer, shape (k-mers,).
        generator: draws the pairings.

    Returns:
        Number of pairs whose group has others, mean percentile of their partners, and the share of random pairings
        whose mean is as high; None for both without such a pair.
    """
    ranks = np.full(similarity.shape, np.nan)
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        if len(members) > 2:
            within = similarity[np.ix_(members, members)]
            order = within.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
            # The k-mer itself has rank 0; the least similar of the others has rank 1.
            ranks[np.ix_(members, members)] = (order - 1) / (len(members) - 2)
    ranked = pairs[~np.isnan(ranks[pairs[:, 0], pairs[:, 1]])]
    if not len(ranked):
        return 0, None, None

    def mean(paired: Numbers) -> float:
        return float((ranks[paired[:, 0], paired[:, 1]] + ranks[paired[:, 1], paired[:, 0]]).mean() / 2)

    percentile = mean(ranked)
    groups = [np.flatnonzero(group == number) for number in np.unique(group[ranked[:, 0]])]
    reached = 0
    for _ in range(PERMUTATIONS):
        shuffled = np.concatenate([generator.permutation(members).reshape(-1, 2) for members in groups])
        reached += mean(shuffled) >= percentile
    return len(ranked), percentile, (1 + reached) / (1 + PERMUTATIONS)


def nearest(
    vectors: NDArray[np.float32], kmers: Numbers, tokenizer: Tokenizer, tokens: NDArray[np.int64]
) -> list[tuple[str, list[tuple[str, float]]]]:
    """The nearest k-mers of a few: of the most frequent, and of others evenly down the list by frequency.

    Args:
        vectors: shape (k-mers, dimension).
        kmers: their ids, ascending, shape (k-mers,).
        tokenizer: the tokenizer of the ids.
        tokens: occurrences of each id, shape (ids,).

    Returns:
        k-mers, each with its nearest and their cosines.
    """
    by_frequency = np.argsort(-tokens[kmers], kind="stable")
    shown = by_frequency[np.unique(np.linspace(0, len(by_frequency) - 1, SHOWN).astype(int))]
    vocabulary = tokenizer.vocabulary
    unit = _unit_vectors(vectors)
    rows = []
    for row in shown:
        similarity = unit @ unit[row]
        similarity[row] = -2
        best = np.argsort(-similarity, kind="stable")[: min(NEAREST, len(kmers) - 1)]
        rows.append((vocabulary[kmers[row]], [(vocabulary[kmers[other]], float(similarity[other])) for other in best]))
    return rows
