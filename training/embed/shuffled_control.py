"""A control for reverse complements: are their vectors alike, or would they be in any sequence of the same bases?

The objective, the configuration and chance all make some k-mers alike whatever the sequence. So the check looks at
vectors of contexts within one strand (`opposite_strand_weight` 0), before reverse complements or k-mers of common bases
are drawn together, and compares them with vectors trained the same way on shuffled copies of the sequence: as many of
each base in every sequence, in no order. It costs counting and training again for every copy, five of 3-mers and one of
6-mers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.embed import cooccurrence, neighbours, skipgram
from training.embed.config import EmbeddingConfig
from training.embed.corpus import Corpus
from training.embed.neighbours import ReverseComplementRanks
from training.embed.skipgram import KmerVectors

# A large vocabulary has enough pairs for a small standard error with a single copy, and each copy takes longer.
COPIES, COPIES_OF_LARGE = 5, 1
LARGE_VOCABULARY = 1024
_STANDARD_ERRORS = 2
# Standard deviation of a rank that is uniform between 0 and 1.
_UNIFORM_SD = 12**-0.5


@dataclass(frozen=True)
class ControlComparison:
    """The mean percentile of reverse complements in the sequence and in shuffled copies of it.

    Attributes:
        learnt: mean share of other k-mers that are less similar than the reverse complement.
        shuffled: the same in shuffled copies, on average.
        standard_error: of the difference, as if every rank were random and all pairs independent.
    """

    learnt: float
    shuffled: float
    standard_error: float

    @property
    def is_above(self) -> bool:
        """Whether the difference is above two standard errors."""
        return self.learnt - self.shuffled > _STANDARD_ERRORS * self.standard_error


@dataclass(frozen=True)
class ReverseComplementCheck:
    """The result of the check of reverse complements.

    Attributes:
        everywhere: among all k-mers with learnt vectors.
        same_gc: among those with as many G and C; None if no k-mer has another to be compared with.
        copies: number of shuffled copies.
        kmers: number of k-mers compared.
        delivered: ranks in the delivered vectors, which reverse complements are drawn together in by configuration.
    """

    everywhere: ControlComparison
    same_gc: ControlComparison | None
    copies: int
    kmers: int
    delivered: ReverseComplementRanks


def copies(vocabulary: int) -> int:
    """Number of shuffled copies to train on."""
    return COPIES if vocabulary <= LARGE_VOCABULARY else COPIES_OF_LARGE


def one_strand(config: EmbeddingConfig) -> EmbeddingConfig:
    """The configuration with contexts within one strand only."""
    return config.model_copy(update={"opposite_strand_weight": 0.0})


def check(
    corpus: Corpus, learnt: KmerVectors, delivered: KmerVectors, dimension: int, on_step: Callable[[], object]
) -> ReverseComplementCheck | None:
    """Train on shuffled copies, and compare; None if no two k-mers are each other's reverse complement.

    Args:
        corpus: the sequence.
        learnt: its vectors with the configuration of `one_strand`.
        delivered: its vectors as configured.
        dimension: of a vector.
        on_step: called after every training step, `epochs` times a copy.

    Raises:
        TrainingError: a copy has too few k-mers that are frequent.
    """
    config, tokenizer = one_strand(corpus.config), corpus.tokenizer

    def rank(vectors: KmerVectors) -> ReverseComplementRanks | None:
        return neighbours.rank_reverse_complements(vectors.whitened, vectors.ids, tokenizer, config.seed)

    def rank_in_copy(number: int) -> ReverseComplementRanks | None:
        copy, size = corpus.shuffled(number), tokenizer.vocabulary_size
        counts = cooccurrence.count(map(copy.tokens, copy.train()), size, corpus.first_distance, config.window)
        return rank(skipgram.learn(counts, tokenizer, dimension, config, on_step))

    own = rank(learnt)
    of_copies = [rank_in_copy(number) for number in range(copies(tokenizer.vocabulary_size))]
    known = [ranks for ranks in of_copies if ranks is not None]
    of_delivered = neighbours.rank_reverse_complements(
        delivered.vectors.numpy()[delivered.ids], delivered.ids, tokenizer, config.seed
    )
    if own is None or of_delivered is None or not known:
        return None
    same_gc = None
    controls = [(ranks.same_gc, ranks.same_gc_kmers) for ranks in known if ranks.same_gc is not None]
    if own.same_gc is not None and controls:
        same_gc = _compare(own.same_gc, own.same_gc_kmers, controls)
    everywhere = _compare(own.percentile, own.kmers, [(ranks.percentile, ranks.kmers) for ranks in known])
    return ReverseComplementCheck(everywhere, same_gc, len(known), own.kmers, of_delivered)


def _compare(learnt: float, kmers: int, controls: list[tuple[float, int]]) -> ControlComparison:
    """Compare a percentile over some k-mers with those of the copies, given as percentile and number of k-mers."""
    shuffled = float(np.mean([percentile for percentile, _ in controls]))
    control_pairs = sum(count for _, count in controls) / 2
    return ControlComparison(learnt, shuffled, float(_UNIFORM_SD * np.sqrt(2 / kmers + 1 / control_pairs)))
