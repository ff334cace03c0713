"""Are reverse complements alike in what was learnt, or would they be of any sequence of the same bases?

The objective, the settings of the vectors and chance all make some k-mers alike whatever the sequence. So the check looks at
vectors of contexts within one strand (`opposite` 0) before anything draws reverse complements or k-mers of common bases
together, and sets them beside vectors learnt the same way from shuffled copies of the sequence: as many of each base in every
sequence, no order. It costs counting and learning again for every copy, five of 3-mers and one of 6-mers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.embed import neighbours, pairs, skipgram
from training.embed.config import EmbeddingConfig
from training.embed.corpus import Corpus
from training.embed.neighbours import Mirror
from training.embed.skipgram import Learnt

COPIES, COPIES_OF_MANY = 5, 1
MANY = 1024
_ERRORS = 2
# Standard deviation of a rank that may be any from 0 to 1.
_SPREAD = 12**-0.5


@dataclass(frozen=True)
class Beside:
    """The percentile of reverse complements beside that in shuffled copies.

    Attributes:
        learnt: mean share of other k-mers that are less near than the reverse complement.
        shuffled: the same in shuffled copies, on average.
        standard_error: of the difference, were every rank drawn at random and all pairs independent.
    """

    learnt: float
    shuffled: float
    standard_error: float

    @property
    def above(self) -> bool:
        """Whether the difference is above two standard errors."""
        return self.learnt - self.shuffled > _ERRORS * self.standard_error


@dataclass(frozen=True)
class Check:
    """What the check of reverse complements came to.

    Attributes:
        everywhere: among all k-mers that were learnt.
        same_gc: among those with as many G and C; None where no k-mer has another to be compared with.
        copies: shuffled copies.
        kmers: looked at.
        delivered: the same of the vectors delivered, in which likeness is asked for.
    """

    everywhere: Beside
    same_gc: Beside | None
    copies: int
    kmers: int
    delivered: Mirror


def copies(vocabulary: int) -> int:
    """How many shuffled copies are learnt from."""
    return COPIES if vocabulary <= MANY else COPIES_OF_MANY


def one_strand(config: EmbeddingConfig) -> EmbeddingConfig:
    """The configuration with contexts within one strand only."""
    return config.model_copy(update={"opposite_strand_weight": 0.0})


def check(
    corpus: Corpus, learnt: Learnt, delivered: Learnt, dimension: int, told: Callable[[], object]
) -> Check | None:
    """Learn from shuffled copies, and compare; None where no two k-mers are each other's reverse complement.

    Args:
        corpus: what was learnt from.
        learnt: its vectors as of `one_strand`.
        delivered: its vectors as configured.
        dimension: of a vector.
        told: called after every step of learning, `epochs` times a copy.

    Raises:
        TrainingError: a copy has too few k-mers that are frequent.
    """
    config, tokenizer = one_strand(corpus.config), corpus.tokenizer

    def ranked(vectors: Learnt) -> Mirror | None:
        return neighbours.mirror(vectors.alike, vectors.ids, tokenizer, config.seed)

    def by_chance(number: int) -> Mirror | None:
        copy, size = corpus.shuffled(number), tokenizer.vocabulary_size
        counted = pairs.count(map(copy.tokens, copy.train()), size, corpus.first, config.window)
        return ranked(skipgram.learn(counted, tokenizer, dimension, config, told))

    own, others = ranked(learnt), [by_chance(number) for number in range(copies(tokenizer.vocabulary_size))]
    given = neighbours.mirror(delivered.vectors.numpy()[delivered.ids], delivered.ids, tokenizer, config.seed)
    there = [other for other in others if other is not None]
    if own is None or given is None or not there:
        return None
    same_gc = None
    alike = [(other.same_gc, other.same_gc_kmers) for other in there if other.same_gc is not None]
    if own.same_gc is not None and alike:
        same_gc = _beside(own.same_gc, own.same_gc_kmers, alike)
    everywhere = _beside(own.percentile, own.kmers, [(other.percentile, other.kmers) for other in there])
    return Check(everywhere, same_gc, len(there), own.kmers, given)


def _beside(learnt: float, kmers: int, others: list[tuple[float, int]]) -> Beside:
    shuffled = float(np.mean([percentile for percentile, _ in others]))
    pairs_of_all = sum(count for _, count in others) / 2
    return Beside(learnt, shuffled, float(_SPREAD * np.sqrt(2 / kmers + 1 / pairs_of_all)))
