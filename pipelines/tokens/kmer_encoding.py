"""Base codes to token ids and back: one vectorised pass over any number of concatenated sequences.

log2(k) passes of shifted adds give the number of the k-mer at every base, of which the tokens of a sequence are a
slice. About 0.5 Gb/s per core on genes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.genome import sequence
from pipelines.tokens.vocabulary import SPECIALS, UNK, Vocabulary

# Bases processed at a time: their numbers stay in the processor's cache, which doubles the speed.
BLOCK = 1 << 17


@dataclass(frozen=True)
class KmerLayout:
    """Where the tokens of a sequence lie.

    Attributes:
        k: bases of a k-mer.
        stride: bases from one k-mer to the next, at most k.
        tail: the token of the bases after the last full stride: `anchor` (one more k-mer, flush with the end), `drop`
            (none) or `partial` (one token of 1 to stride - 1 bases).
    """

    k: int
    stride: int
    tail: str

    def token_counts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of sequences of these lengths (bases). Shape as given."""
        full, rest = np.divmod(np.maximum(lengths - self.k, 0), self.stride)
        return full + 1 + ((rest > 0) & (self.tail != "drop"))

    def starts(self, number: NDArray[np.int64] | int, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """The position of the first base of token `number` (from 0) in sequences of these lengths.

        Args:
            number: of the token, an integer or an array that broadcasts with `lengths`.
            lengths: bases of each sequence.

        Returns:
            Shape as broadcast.
        """
        last_start = np.maximum(lengths - self.k, 0)
        if self.tail != "partial":
            return np.minimum(number * self.stride, last_start)
        partial_start = last_start - last_start % self.stride + self.k
        return np.where(number * self.stride <= last_start, number * self.stride, partial_start)

    def covered_bases(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bases from the start of sequences of these lengths to the end of their last token. Shape as given."""
        if self.tail != "drop":
            return lengths
        return lengths - np.maximum(lengths - self.k, 0) % self.stride


def encode(
    codes: NDArray[np.uint8], lengths: NDArray[np.int64], layout: KmerLayout, vocabulary: Vocabulary
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Encode concatenated sequences.

    Args:
        codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
        lengths: bases of each sequence, shape (sequences,).
        layout: where tokens lie.
        vocabulary: their ids.

    Returns:
        Token ids end to end, shape (tokens,), of the vocabulary's `dtype`; and the number of tokens of each sequence,
        shape (sequences,).
    """
    counts = layout.token_counts(lengths)
    ends, token_ends = np.cumsum(lengths), np.cumsum(counts)
    tokens = np.empty(int(counts.sum()), vocabulary.dtype)
    for group in _groups(ends):
        first = int(ends[group.start] - lengths[group.start])
        first_token = int(token_ends[group.start] - counts[group.start])
        _encode_group(
            tokens[first_token : int(token_ends[group.stop - 1])],
            codes[first : int(ends[group.stop - 1])],
            lengths[group],
            counts[group],
            layout,
            vocabulary,
        )
    return tokens, counts


def decode_bases(
    tokens: NDArray[Any], lengths: NDArray[np.int64], layout: KmerLayout, vocabulary: Vocabulary
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bases that tokens stand for: the inverse of `encode`, as far as the tokens determine them.

    Args:
        tokens: ids of all sequences end to end, shape (tokens,).
        lengths: bases of each sequence, shape (sequences,).
        layout: where tokens lie.
        vocabulary: their ids.

    Returns:
        Base codes end to end, shape (sum of bases covered,), 4 where every token over a base is a special; and the
        bases covered in each sequence, shape (sequences,): all but those that tail `drop` leaves out.
    """
    counts, covered = layout.token_counts(lengths), layout.covered_bases(lengths)
    number = np.arange(len(tokens)) - np.repeat(np.cumsum(counts) - counts, counts)
    position = np.repeat(np.cumsum(covered) - covered, counts) + layout.starts(number, np.repeat(lengths, counts))
    codes = np.full(int(covered.sum()), sequence.OTHER, np.uint8)
    for offset in range(layout.k):
        letters = vocabulary.letters[tokens, offset]
        known = letters != sequence.OTHER
        codes[position[known] + offset] = letters[known]
    return codes, covered


def _groups(ends: NDArray[np.int64]) -> Iterator[slice]:
    """Runs of consecutive sequences with at most `BLOCK` bases together, or of one longer sequence, by their ends."""
    first = 0
    while first < len(ends):
        start = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, start + BLOCK, side="right")), first + 1)
        yield slice(first, last)
        first = last


def _encode_group(
    tokens: NDArray[Any],
    codes: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    counts: NDArray[np.int64],
    layout: KmerLayout,
    vocabulary: Vocabulary,
) -> None:
    """Write the token ids of some concatenated sequences into `tokens`."""
    k, stride = layout.k, layout.stride
    ids = _ids_at_every_base(codes, vocabulary)
    starts, token_starts = np.cumsum(lengths) - lengths, np.cumsum(counts) - counts
    ends = starts + lengths
    strides = np.maximum(lengths - k, 0) // stride + 1
    for start, count, token_start in zip(starts.tolist(), strides.tolist(), token_starts.tolist(), strict=True):
        kmers = ids[start : start + (count - 1) * stride + 1 : stride]
        tokens[token_start : token_start + len(kmers)] = kmers
    if layout.tail == "anchor":
        has_anchor = counts > strides
        tokens[(token_starts + strides)[has_anchor]] = ids[ends[has_anchor] - k]
    # A sequence shorter than k is one unknown token.
    tokens[token_starts[lengths < k]] = UNK
    if layout.tail == "partial":
        rest = np.maximum(lengths - k, 0) % stride
        has_rest = rest > 0
        tokens[np.cumsum(counts)[has_rest] - 1] = _partial_ids(
            codes, ends[has_rest], rest[has_rest], stride, vocabulary
        )


def _ids_at_every_base(codes: NDArray[np.uint8], vocabulary: Vocabulary) -> NDArray[Any]:
    """The id of the k-mer that starts at every base, across the ends of sequences too; shape (bases - k + 1,)."""
    k = vocabulary.k
    ids = np.empty(max(len(codes) - k + 1, 0), vocabulary.dtype)
    for first in range(0, len(ids), BLOCK):
        letters, block = codes[first : first + BLOCK + k - 1], ids[first : first + BLOCK]
        numbers = kmer_numbers(letters, k)
        if vocabulary.observed_words is None:
            # Cheaper than a look-up: k-mers are the first words, so their numbers are their ids but for the specials.
            np.add(numbers, len(SPECIALS), out=block, dtype=vocabulary.dtype)
        else:
            block[:] = vocabulary.ids[numbers]
        if (letters == sequence.OTHER).any():
            block[holds_other(letters, k)] = UNK
    return ids


def _partial_ids(
    codes: NDArray[np.uint8],
    ends: NDArray[np.int64],
    widths: NDArray[np.int64],
    stride: int,
    vocabulary: Vocabulary,
) -> NDArray[np.int64]:
    """Ids of the words of these lengths (1 to stride - 1 bases) that end before `ends`. Shape as given."""
    number, is_unknown = np.zeros(len(ends), np.int64), np.zeros(len(ends), np.bool_)
    for back in range(stride - 1, 0, -1):
        inside = back <= widths
        code = codes[np.maximum(ends - back, 0)]
        number = np.where(inside, number * 4 + (code & 3), number)
        is_unknown |= inside & (code == sequence.OTHER)
    return np.where(is_unknown, UNK, vocabulary.ids[number + vocabulary.first_numbers[widths]])


def kmer_numbers(codes: NDArray[np.uint8], k: int) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """The base-4 number of the k-mer at every position, with letters other than A, C, G and T read as A.

    Returns:
        Shape (n - k + 1,), uint16 up to k = 8, else uint32.
    """
    dtype = np.uint16 if k <= 8 else np.uint32
    known = np.bitwise_and(codes, np.uint8(3)) if (codes > 3).any() else codes
    return _over_windows(known.astype(dtype), k, lambda left, right, width: (left << dtype(2 * width)) | right)


def holds_other(codes: NDArray[np.uint8], k: int) -> NDArray[np.bool_]:
    """Whether the k-mer at every position holds a letter other than A, C, G and T; shape (n - k + 1,)."""
    return _over_windows(codes == sequence.OTHER, k, lambda left, right, _: left | right)


def _over_windows(
    values: NDArray[Any], k: int, join: Callable[[NDArray[Any], NDArray[Any], int], NDArray[Any]]
) -> NDArray[Any]:
    """Every window of `k` values, joined: windows of 1, 2, 4 … values, those whose bit of k is set, are put together.

    Args:
        values: shape (n,).
        k: width of a window.
        join: joins windows with the windows of the given width to their right.

    Returns:
        Shape (n - k + 1,); empty if there are fewer than k values.
    """
    if len(values) < k:
        return values[:0]
    power, power_width = values, 1
    joined, width = None, 0
    while True:
        if k & power_width:
            if joined is None:
                joined = power
            else:
                size = len(values) - (width + power_width) + 1
                joined = join(joined[:size], power[width : width + size], power_width)
            width += power_width
        if width == k:
            assert joined is not None
            return joined
        size = len(values) - 2 * power_width + 1
        power = join(power[:size], power[power_width : power_width + size], power_width)
        power_width *= 2
