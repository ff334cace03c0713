"""The vocabulary of a k-mer tokenizer: words, their numbers and their token ids.

A word is a k-mer or, where the tail of a sequence becomes a partial token, any shorter word. Words have numbers from 0:
first all k-mers in the order of ACGT, then all (k-1)-mers, and so on. In a complete vocabulary the id of a word is its
number plus the number of specials. An observed vocabulary holds only some of the words, whose ids have no gaps.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import sequence

SPECIALS = ("<pad>", "<unk>", "<mask>")
PAD, UNK, MASK = 0, 1, 2


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a tokenizer, in the order of their ids: the specials, then words.

    Attributes:
        k: bases of a k-mer.
        has_partial: whether words of 1 to k - 1 bases belong to it too.
        observed_words: numbers of the words it holds, ascending; None if it is complete.
    """

    k: int
    has_partial: bool
    observed_words: tuple[int, ...] | None = None

    @property
    def widths(self) -> range:
        """Lengths of words in bases, longest first."""
        return range(self.k, 0 if self.has_partial else self.k - 1, -1)

    @property
    def word_count(self) -> int:
        """How many words there can be, observed or not."""
        return sum(4**width for width in self.widths)

    @property
    def size(self) -> int:
        """How many ids there are, specials included."""
        return len(SPECIALS) + (self.word_count if self.observed_words is None else len(self.observed_words))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrower of uint16 and uint32 that holds every id."""
        return np.dtype(np.uint16 if self.size <= 1 << 16 else np.uint32)

    @cached_property
    def first_numbers(self) -> NDArray[np.int64]:
        """The number of the first word of each length, shape (k + 1,); 0 for lengths that no word has."""
        first = np.zeros(self.k + 1, np.int64)
        counts = [4**width for width in self.widths]
        first[list(self.widths)] = np.cumsum(counts) - counts
        return first

    @cached_property
    def ids(self) -> NDArray[Any]:
        """The id of each word by its number, `<unk>` for words outside the vocabulary; shape (words,)."""
        if self.observed_words is None:
            return np.arange(len(SPECIALS), self.size).astype(self.dtype)
        ids = np.full(self.word_count, UNK, self.dtype)
        ids[list(self.observed_words)] = np.arange(len(SPECIALS), self.size)
        return ids

    @cached_property
    def tokens(self) -> list[str]:
        """Every token as text, in the order of its id."""
        words = ["".join(bases) for width in self.widths for bases in itertools.product("ACGT", repeat=width)]
        if self.observed_words is not None:
            words = [words[number] for number in self.observed_words]
        return [*SPECIALS, *words]

    @cached_property
    def letters(self) -> NDArray[np.uint8]:
        """Base codes of every token, shape (ids, k); 4 for specials and after the end of a partial k-mer."""
        table = np.full((len(SPECIALS) + self.word_count, self.k), sequence.OTHER, np.uint8)
        for width in self.widths:
            numbers = np.arange(4**width)
            first = len(SPECIALS) + self.first_numbers[width]
            for offset in range(width):
                table[first : first + len(numbers), offset] = (numbers >> 2 * (width - 1 - offset)) & 3
        if self.observed_words is None:
            return table
        return table[[*range(len(SPECIALS)), *(len(SPECIALS) + number for number in self.observed_words)]]

    @cached_property
    def reverse_complements(self) -> NDArray[Any]:
        """The id of each token's reverse complement, shape (ids,), of `dtype`.

        Specials are their own. The reverse complement of an observed word is `<unk>` if it was not observed itself.
        """
        numbers = []
        for width in self.widths:
            rest, reverse = np.arange(4**width), np.zeros(4**width, np.int64)
            for _ in range(width):
                reverse = reverse * 4 + 3 - (rest & 3)
                rest >>= 2
            numbers.append(reverse + self.first_numbers[width])
        ids = self.ids[np.concatenate(numbers)]
        if self.observed_words is not None:
            ids = ids[list(self.observed_words)]
        return np.concatenate([np.arange(len(SPECIALS)), ids]).astype(self.dtype)
