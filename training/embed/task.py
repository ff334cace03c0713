"""The task that an embedding's accuracy is of: k-mers hidden with everything that overlaps them, on held-out sequence.

A position is scored where the hidden k-mer and the five bases on either side of it are all known, for an embedding and for
Markov models alike. Visible are whole tokens that share no base with the hidden one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines import fingerprint
from pipelines.errors import TrainingError
from pipelines.genome.sequence import OTHER, Bytes
from pipelines.tokens.kmer_encoding import kmer_numbers
from pipelines.tokens.vocabulary import SPECIALS
from training.embed import head, markov
from training.embed.corpus import Corpus
from training.embed.markov import ORDER, Markov

STATED = "top-1 accuracy of k-mers hidden with all that overlap them, on held-out sequence"
Numbers = NDArray[np.int64]
Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class Gaps:
    """Positions with what is around them.

    Attributes:
        hidden: the id at each, shape (positions,).
        contexts: ids of the visible tokens, those left of it first, nearest first, shape (positions, 2 x window).
        left: number of the five bases before the hidden k-mer, shape (positions,).
        right: of the five after it, shape (positions,).
    """

    hidden: NDArray[Any]
    contexts: NDArray[Any]
    left: Numbers
    right: Numbers


@dataclass(frozen=True)
class Lead:
    """How far one is ahead of another on the same positions (McNemar's comparison).

    Attributes:
        difference: of the accuracies.
        standard_error: of the difference, paired, as if positions were independent.
        discordant: positions at which one is right and the other is not; of few, the error says nothing.
    """

    difference: float
    standard_error: float
    discordant: int

    @classmethod
    def of(cls, one: Hits, other: Hits) -> Lead:
        """From which positions each is right at, both of shape (positions,)."""
        ahead, behind = int((one & ~other).sum()), int((other & ~one).sum())
        difference, discordant = (ahead - behind) / len(one), ahead + behind
        error = np.sqrt(max(discordant / len(one) - difference**2, 0) / len(one))
        return cls(difference, float(error), discordant)


@dataclass(frozen=True)
class Figures:
    """Top-1 accuracies on the same positions, 0 to 1.

    Attributes:
        positions: how many were scored.
        embedding: of the head on the vectors.
        random_vectors: of the same head on random vectors of the same dimension.
        markov_left: of the Markov model of order five that sees the five bases before.
        markov_both: of the same model's posterior given five bases on either side.
        most_frequent: of the k-mer that is most frequent in train.
        over_markov: the embedding's lead over the better Markov figure.
        over_random_vectors: its lead over random vectors.
    """

    positions: int
    embedding: float
    random_vectors: float
    markov_left: float
    markov_both: float
    most_frequent: float
    over_markov: Lead
    over_random_vectors: Lead

    @property
    def standard_error(self) -> float:
        """Of the embedding's accuracy, as if positions were independent."""
        return float(np.sqrt(self.embedding * (1 - self.embedding) / self.positions))


def candidates(codes: Bytes, k: int, stride: int) -> Numbers:
    """Starts (bases) of the tokens that can be scored in laid-out sequence: they and five bases on either side are known."""
    unknown = np.concatenate([[0], np.cumsum(codes == OTHER)])
    starts = np.arange(-(-ORDER // stride) * stride, len(codes) - k - ORDER + 1, stride)
    return starts[unknown[starts + k + ORDER] == unknown[starts - ORDER]]


def gaps(corpus: Corpus, codes: Bytes, starts: Numbers) -> Gaps:
    """What is around hidden k-mers that start at these bases, each a candidate."""
    k, stride, first = corpus.tokenizer.k, corpus.tokenizer.stride, corpus.first
    tokens, fives = corpus.tokens(codes), kmer_numbers(codes, ORDER).astype(np.int64)
    distances = np.arange(first, first + corpus.config.head_window)
    places = starts // stride
    contexts = tokens[places[:, None] + np.concatenate([-distances, distances])]
    return Gaps(tokens[places], contexts, fives[starts - ORDER], fives[starts + k])


def drawn(corpus: Corpus, *, held_out: bool, wanted: int) -> Gaps:
    """At most so many positions of train or of held-out sequence, spread evenly over it; drawn by `embedding.seed`.

    Raises:
        TrainingError: there is none.
    """
    k, stride = corpus.tokenizer.k, corpus.tokenizer.stride
    stretches = corpus.held_out if held_out else corpus.train
    there = sum(len(candidates(codes, k, stride)) for codes in stretches())
    found = []
    for number, codes in enumerate(stretches()):
        starts = candidates(codes, k, stride)
        generator = np.random.default_rng(fingerprint.seed(corpus.config.seed, "positions", held_out, number))
        if there > wanted:
            starts = starts[generator.random(len(starts)) < wanted / there]
        one = gaps(corpus, codes, starts)
        # A k-mer outside an observed vocabulary has no vector to be right with, and is not asked for.
        known = one.hidden >= len(SPECIALS)
        found.append(Gaps(one.hidden[known], one.contexts[known], one.left[known], one.right[known]))
    if not sum(len(one.hidden) for one in found):
        which = "held-out sequence" if held_out else "train"
        raise TrainingError(f"{which}: no k-mer with five known bases on either side", "give longer sequences")
    return Gaps(
        *(np.concatenate([getattr(one, name) for one in found]) for name in ("hidden", "contexts", "left", "right"))
    )


def fitted_markov(corpus: Corpus) -> Markov:
    """The Markov model of order five of the sequence that the vectors are learnt from."""
    return Markov.fitted(
        sum(map(markov.count, corpus.train()), np.zeros((markov.STATES, 4), np.int64)), corpus.tokenizer.k
    )


def score(
    vectors: Tensor, train: Gaps, held_out: Gaps, model: Markov, corpus: Corpus, told: Callable[[], object]
) -> Figures:
    """Fit a head on train, another on random vectors, and judge both and the Markov model on held-out positions.

    Args:
        vectors: of all ids, shape (ids, dimension).
        train: positions that the heads learn from.
        held_out: positions scored.
        model: fitted on train.
        corpus: what they are of.
        told: called after every step of a head.
    """
    seed = corpus.config.seed
    generator = torch.Generator().manual_seed(fingerprint.seed(seed, "random vectors"))
    embedding, by_chance = (
        head.fit(one, train.contexts, train.hidden, seed, told).predict(held_out.contexts) == held_out.hidden
        for one in (vectors, torch.randn(vectors.shape, generator=generator))
    )
    numbers = _numbers(corpus)[held_out.hidden]
    left = model.from_left(held_out.left) == numbers
    both = model.from_both(held_out.left, held_out.right) == numbers
    most = np.bincount(train.hidden).argmax()
    return Figures(
        positions=len(held_out.hidden),
        embedding=float(embedding.mean()),
        random_vectors=float(by_chance.mean()),
        markov_left=float(left.mean()),
        markov_both=float(both.mean()),
        most_frequent=float((held_out.hidden == most).mean()),
        over_markov=Lead.of(embedding, max(both, left, key=np.mean)),
        over_random_vectors=Lead.of(embedding, by_chance),
    )


def _numbers(corpus: Corpus) -> Numbers:
    """The base-4 number of each id's k-mer, shape (ids,); meaningless for specials and partial k-mers."""
    letters = corpus.tokenizer.letters.astype(np.int64) & 3
    return letters @ 4 ** np.arange(corpus.tokenizer.k - 1, -1, -1)
