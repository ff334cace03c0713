"""Markov models of DNA: the next base given the last five, and the likeliest word for a gap in a sequence.

A gap of k bases is filled from its left side alone, or from both: P(word | 5 bases left) · P(5 bases right | word), the
exact posterior of the model. The likeliest word is found by the Viterbi algorithm (1967) over the 1,024 states of five
bases, so no k is too long: 0.1 s a base of the word, once, and about 1 s for a million gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.genome.sequence import Bytes
from pipelines.tokens.kmer_encoding import holds_other, kmer_numbers

ORDER = 5
STATES = 4**ORDER
_AT_ONCE = 4096
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def count(codes: Bytes) -> Numbers:
    """Count how often each base follows each five, shape (1024, 4); words with another letter do not count.

    Args:
        codes: base codes 0 to 4, shape (bases,). Counts of several sequences can be added.
    """
    words = kmer_numbers(codes, ORDER + 1)[~holds_other(codes, ORDER + 1)]
    return np.bincount(words, minlength=STATES * 4).reshape(STATES, 4)


@dataclass(frozen=True)
class MarkovModel:
    """A Markov model of order five.

    Attributes:
        log_probability: of each base after each five, shape (1024, 4).
        k: bases of the words that fill a gap.
    """

    log_probability: Floats
    k: int

    @classmethod
    def fit(cls, counts: Numbers, k: int) -> MarkovModel:
        """Fit the model to counts as `count` gives them, with one more of each (Laplace)."""
        smoothed = counts + 1.0
        return cls(np.log(smoothed / smoothed.sum(axis=1, keepdims=True)), k)

    def predict_from_left(self, left: Numbers) -> Numbers:
        """Predict the likeliest word after five bases.

        Args:
            left: number of the five bases before each gap, shape (gaps,).

        Returns:
            Numbers of words of k bases, shape (gaps,).
        """
        best, _ = self._paths
        return self._word(left, best.argmax(axis=1)[left])

    def predict_from_both(self, left: Numbers, right: Numbers) -> Numbers:
        """Predict the likeliest word between five bases and five bases.

        Args:
            left: number of the five bases before each gap, shape (gaps,).
            right: number of the five bases after it, shape (gaps,).

        Returns:
            Numbers of words of k bases, shape (gaps,).
        """
        best, _ = self._paths
        # Many gaps have the same sides, and each pair of sides is solved once.
        pairs, pair_of_gap = np.unique(left * STATES + right, return_inverse=True)
        befores, afters = np.divmod(pairs, STATES)
        ends = np.empty(len(pairs), np.int64)
        for first in range(0, len(pairs), _AT_ONCE):
            batch = slice(first, first + _AT_ONCE)
            ends[batch] = (best[befores[batch]] + self._continued[:, afters[batch]].T).argmax(axis=1)
        return self._word(befores, ends)[pair_of_gap]

    @cached_property
    def _paths(self) -> tuple[Floats, list[Bytes]]:
        """The Viterbi table: the best paths from five bases over a word of k to the last five.

        Returns:
            Log-probability of each path, shape (1024, 1024), and for each step the base that left the state on it.
        """
        best = np.full((STATES, STATES), -np.inf)
        np.fill_diagonal(best, 0)
        steps = self.log_probability.reshape(4, STATES // 4, 4)
        left = []
        for _ in range(self.k):
            reached = best.reshape(STATES, 4, STATES // 4)[:, :, :, None] + steps
            left.append(reached.argmax(axis=1).reshape(STATES, STATES).astype(np.uint8))
            best = reached.max(axis=1).reshape(STATES, STATES)
        return best, left

    @cached_property
    def _continued(self) -> Floats:
        """Log-probability of five bases (column) after five (row), shape (1024, 1024)."""
        total = np.zeros((STATES, STATES))
        state = np.repeat(np.arange(STATES)[:, None], STATES, axis=1)
        for number in range(ORDER):
            base = (np.arange(STATES) >> 2 * (ORDER - 1 - number)) & 3
            total += self.log_probability[state, base]
            state = (state << 2 | base) & (STATES - 1)
        return total

    def _word(self, before: Numbers, end: Numbers) -> Numbers:
        """The words on the best paths from `before` to `end`, shape as given."""
        word, state = np.zeros(len(before), np.int64), end.copy()
        for number, left in enumerate(reversed(self._paths[1])):
            word |= (state & 3) << 2 * number
            state = left[before, state].astype(np.int64) << 2 * (ORDER - 1) | state >> 2
        return word
