"""Masked k-mer prediction, the task of an embedding's accuracy: k-mers are hidden with everything that overlaps them.

A position of held-out sequence is scored if the hidden k-mer and the five bases on either side of it are all known, for
an embedding and for Markov models alike. Visible are whole tokens that share no base with the hidden one.
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
from training.embed.markov import ORDER, MarkovModel

# Written into embedding files, to distinguish their accuracies from those of other tasks.
DESCRIPTION = "top-1 accuracy of k-mers hidden with all that overlap them, on held-out sequence"
Numbers = NDArray[np.int64]
Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskedPositions:
    """Positions whose k-mer is hidden, with what is visible around them.

    Attributes:
        hidden: the hidden id at each position, shape (positions,).
        contexts: ids of the visible tokens, those to the left first, nearest first, shape (positions, 2 x window).
        left: number of the five bases before the hidden k-mer, shape (positions,).
        right: number of the five bases after it, shape (positions,).
    """

    hidden: NDArray[Any]
    contexts: NDArray[Any]
    left: Numbers
    right: Numbers


@dataclass(frozen=True)
class AccuracyDifference:
    """How much more accurate one predictor is than another on the same positions (McNemar's comparison).

    Attributes:
        difference: first accuracy minus second.
        standard_error: of the difference, paired, as if positions were independent.
        discordant: positions at which exactly one is right; if they are few, the standard error says nothing.
    """

    difference: float
    standard_error: float
    discordant: int

    @classmethod
    def from_hits(cls, first: Hits, second: Hits) -> AccuracyDifference:
        """Compare two predictors by the positions at which each is right, both of shape (positions,)."""
        ahead, behind = int((first & ~second).sum()), int((second & ~first).sum())
        difference, discordant = (ahead - behind) / len(first), ahead + behind
        error = np.sqrt(max(discordant / len(first) - difference**2, 0) / len(first))
        return cls(difference, float(error), discordant)


@dataclass(frozen=True)
class Accuracies:
    """Top-1 accuracies on the same positions, 0 to 1.

    Attributes:
        positions: number of positions scored.
        embedding: the head on the embedding's vectors.
        random_vectors: the same head on random vectors of the same dimension.
        markov_left: a Markov model of order five that sees the five bases before.
        markov_both: the same model's posterior given five bases on either side.
        most_frequent: always the k-mer that is most frequent in train.
        over_markov: the embedding compared with the better Markov figure.
        over_random_vectors: the embedding compared with random vectors.
    """

    positions: int
    embedding: float
    random_vectors: float
    markov_left: float
    markov_both: float
    most_frequent: float
    over_markov: AccuracyDifference
    over_random_vectors: AccuracyDifference

    @property
    def standard_error(self) -> float:
        """Of the embedding's accuracy, as if positions were independent."""
        return float(np.sqrt(self.embedding * (1 - self.embedding) / self.positions))


def candidate_starts(codes: Bytes, k: int, stride: int) -> Numbers:
    """Starts (bases) of the tokens that can be scored: they and five bases on either side of them are known.

    Args:
        codes: base codes as `corpus.lay_out` gives them, shape (bases,).
        k: bases of a token.
        stride: bases from one token to the next.
    """
    # Unknown letters before each base: a stretch has none if the counts at its ends are equal.
    unknown = np.concatenate([[0], np.cumsum(codes == OTHER)])
    starts = np.arange(-(-ORDER // stride) * stride, len(codes) - k - ORDER + 1, stride)
    return starts[unknown[starts + k + ORDER] == unknown[starts - ORDER]]


def mask(corpus: Corpus, codes: Bytes, starts: Numbers) -> MaskedPositions:
    """Hide the k-mers that start at some bases, each of which is among `candidate_starts`."""
    k, stride, first = corpus.tokenizer.k, corpus.tokenizer.stride, corpus.first_distance
    tokens, fives = corpus.tokens(codes), kmer_numbers(codes, ORDER).astype(np.int64)
    distances = np.arange(first, first + corpus.config.head_window)
    numbers = starts // stride
    contexts = tokens[numbers[:, None] + np.concatenate([-distances, distances])]
    return MaskedPositions(tokens[numbers], contexts, fives[starts - ORDER], fives[starts + k])


def sample_positions(corpus: Corpus, *, held_out: bool, limit: int) -> MaskedPositions:
    """Draw about `limit` positions of train or of held-out sequence at most, spread evenly, by `embedding.seed`.

    Raises:
        TrainingError: there is none.
    """
    k, stride = corpus.tokenizer.k, corpus.tokenizer.stride
    read = corpus.held_out if held_out else corpus.train
    total = sum(len(candidate_starts(codes, k, stride)) for codes in read())
    parts = []
    for number, codes in enumerate(read()):
        starts = candidate_starts(codes, k, stride)
        generator = np.random.default_rng(fingerprint.seed(corpus.config.seed, "positions", held_out, number))
        if total > limit:
            starts = starts[generator.random(len(starts)) < limit / total]
        masked = mask(corpus, codes, starts)
        # A k-mer outside an observed vocabulary has no vector, so that no embedding could name it.
        known = masked.hidden >= len(SPECIALS)
        parts.append(
            MaskedPositions(masked.hidden[known], masked.contexts[known], masked.left[known], masked.right[known])
        )
    if not sum(len(part.hidden) for part in parts):
        which = "held-out sequence" if held_out else "train"
        raise TrainingError(f"{which}: no k-mer with five known bases on either side", "give longer sequences")
    return MaskedPositions(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("hidden", "contexts", "left", "right"))
    )


def fit_markov(corpus: Corpus) -> MarkovModel:
    """Fit a Markov model of order five to the sequence that the vectors are trained on."""
    counts = sum(map(markov.count, corpus.train()), np.zeros((markov.STATES, 4), np.int64))
    return MarkovModel.fit(counts, corpus.tokenizer.k)


def score(
    vectors: Tensor,
    train: MaskedPositions,
    held_out: MaskedPositions,
    model: MarkovModel,
    corpus: Corpus,
    on_step: Callable[[], object],
) -> Accuracies:
    """Fit a head on train and another on random vectors, and score both and the Markov model on held-out positions.

    Args:
        vectors: of all ids, shape (ids, dimension).
        train: positions to fit the heads on.
        held_out: positions to score.
        model: fitted on train.
        corpus: the sequence of the positions.
        on_step: called after every training step of a head.
    """
    seed = corpus.config.seed
    generator = torch.Generator().manual_seed(fingerprint.seed(seed, "random vectors"))
    random_vectors = torch.randn(vectors.shape, generator=generator)
    embedding_hits, random_hits = (
        head.fit(frozen, train.contexts, train.hidden, seed, on_step).predict(held_out.contexts) == held_out.hidden
        for frozen in (vectors, random_vectors)
    )
    hidden_words = _word_numbers(corpus)[held_out.hidden]
    left_hits = model.predict_from_left(held_out.left) == hidden_words
    both_hits = model.predict_from_both(held_out.left, held_out.right) == hidden_words
    most_frequent = np.bincount(train.hidden).argmax()
    return Accuracies(
        positions=len(held_out.hidden),
        embedding=float(embedding_hits.mean()),
        random_vectors=float(random_hits.mean()),
        markov_left=float(left_hits.mean()),
        markov_both=float(both_hits.mean()),
        most_frequent=float((held_out.hidden == most_frequent).mean()),
        over_markov=AccuracyDifference.from_hits(embedding_hits, max(both_hits, left_hits, key=np.mean)),
        over_random_vectors=AccuracyDifference.from_hits(embedding_hits, random_hits),
    )


def _word_numbers(corpus: Corpus) -> Numbers:
    """The base-4 number of each id's k-mer, shape (ids,); meaningless for specials and partial k-mers."""
    letters = corpus.tokenizer.letters.astype(np.int64) & 3
    return letters @ 4 ** np.arange(corpus.tokenizer.k - 1, -1, -1)
