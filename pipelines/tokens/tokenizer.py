"""k-mer tokenizer and its vocabulary: base codes to token ids and back.

Encoding is one vectorised pass over any number of concatenated sequences, block by block: log2(k) passes of shifted
adds give the k-mer at every base, of which each sequence's tokens are a slice. About 0.5 Gb/s a core on genes.

Words (all k-mers and, with tail `partial`, all shorter ones after them) are numbered from 0 in the order of ACGT. The
id of a word is its number after the specials where the vocabulary is complete; an observed vocabulary closes the gaps.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from pipelines import fingerprint, storage
from pipelines.config import TokenizerConfig
from pipelines.errors import DatasetError, InputError, UsageError
from pipelines.genome import sequence

FORMAT_VERSION = 1
FILE_NAME = "tokenizer.json"
SPECIALS = ("<pad>", "<unk>", "<mask>")
PAD, UNK, MASK = 0, 1, 2
# Bases worked on at a time: their numbers stay in a processor's cache, which makes encoding twice as fast.
BLOCK = 1 << 17


@dataclass(frozen=True)
class Tokenizer:
    """Cuts a sequence into k-mers every `stride` bases and numbers them.

    Ids 0, 1, 2 are `<pad>`, `<unk>`, `<mask>`; then all 4^k k-mers in the order of ACGT. A k-mer with any other
    letter is `<unk>`, and so is a sequence shorter than k, as one token. Case is ignored.

    Attributes:
        k: bases of a k-mer.
        stride: bases from one k-mer to the next, at most k.
        tail: what becomes of the bases that no k-mer covers: `anchor` (one more k-mer flush with the end), `drop`, or
            `partial` (they are one token of 1 to stride - 1 bases; the 4^(k-1) (k-1)-mers, …, the 4 1-mers follow the
            k-mers in the vocabulary).
        kept: numbers of the words in an observed vocabulary, ascending; None when it is complete.
    """

    k: int
    stride: int
    tail: str
    kept: tuple[int, ...] | None = None

    @classmethod
    def from_config(cls, config: TokenizerConfig) -> Tokenizer:
        """The tokenizer a configuration asks for; `from` reads that of a dataset, bundle or embedding file.

        Where the vocabulary is to be observed it is the complete one, to count train with and pass to `observed`.

        Raises:
            DatasetError: nothing readable there.
        """
        if config.reuse is not None:
            return cls.load(Path(config.reuse))
        return cls(config.k, config.stride, config.tail)

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, specials included."""
        return len(SPECIALS) + (self._words if self.kept is None else len(self.kept))

    @property
    def _widths(self) -> range:
        """Bases of a word, longest first."""
        return range(self.k, 0 if self.tail == "partial" else self.k - 1, -1)

    @property
    def _words(self) -> int:
        return sum(4**width for width in self._widths)

    @cached_property
    def _first_numbers(self) -> NDArray[np.int64]:
        """The number of the first word of each width, shape (k + 1,); 0 for widths there are no words of."""
        first = np.zeros(self.k + 1, np.int64)
        sizes = [4**width for width in self._widths]
        first[list(self._widths)] = np.cumsum(sizes) - sizes
        return first

    @cached_property
    def _ids(self) -> NDArray[Any]:
        """The id of every word's number, `<unk>` if it is not in the vocabulary, shape (words,)."""
        if self.kept is None:
            return np.arange(len(SPECIALS), self.vocabulary_size).astype(self.dtype)
        ids = np.full(self._words, UNK, self.dtype)
        ids[list(self.kept)] = np.arange(len(SPECIALS), self.vocabulary_size)
        return ids

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest of uint16 and uint32 that holds every id."""
        return np.dtype(np.uint16 if self.vocabulary_size <= 1 << 16 else np.uint32)

    @cached_property
    def vocabulary(self) -> list[str]:
        """Every token, in the order of its id."""
        words = ["".join(bases) for width in self._widths for bases in itertools.product("ACGT", repeat=width)]
        return [*SPECIALS, *(words if self.kept is None else [words[number] for number in self.kept])]

    @cached_property
    def letters(self) -> NDArray[np.uint8]:
        """Base codes of every token, 4 throughout for specials and after the end of a partial k-mer; shape (ids, k)."""
        table = np.full((len(SPECIALS) + self._words, self.k), sequence.OTHER, np.uint8)
        for width in self._widths:
            numbers = np.arange(4**width)
            first = len(SPECIALS) + self._first_numbers[width]
            for offset in range(width):
                table[first : first + len(numbers), offset] = (numbers >> 2 * (width - 1 - offset)) & 3
        if self.kept is None:
            return table
        return table[[*range(len(SPECIALS)), *(len(SPECIALS) + number for number in self.kept)]]

    @cached_property
    def reverse_complements(self) -> NDArray[Any]:
        """The id of each token's reverse complement, shape (ids,), of `dtype`.

        Specials are their own; the reverse complement of an observed k-mer is `<unk>` if it was not observed itself.
        """
        numbers = []
        for width in self._widths:
            rest, reverse = np.arange(4**width), np.zeros(4**width, np.int64)
            for _ in range(width):
                reverse = reverse * 4 + 3 - (rest & 3)
                rest >>= 2
            numbers.append(reverse + self._first_numbers[width])
        found = self._ids[np.concatenate(numbers)]
        words = found if self.kept is None else found[list(self.kept)]
        return np.concatenate([np.arange(len(SPECIALS)), words]).astype(self.dtype)

    def observed(self, counts: NDArray[np.int64], min_count: int) -> Tokenizer:
        """The tokenizer whose vocabulary is the words seen often enough.

        Args:
            counts: occurrences of each id of this tokenizer, specials included, shape (ids,); the sum of `count` over
                the sequences of train.
            min_count: occurrences that a word needs.

        Raises:
            UsageError: no word occurs so often.
        """
        often = np.flatnonzero(counts[len(SPECIALS) :] >= min_count)
        if len(often) == 0:
            raise UsageError(f"tokenizer.min_count: no k-mer occurs {min_count} times in train", "lower it")
        numbers = often if self.kept is None else np.array(self.kept)[often]
        return replace(self, kept=tuple(numbers.tolist()))

    @property
    def parameters(self) -> dict[str, Any]:
        """What two tokenizers must share to be the same, vocabulary aside."""
        return {"k": self.k, "stride": self.stride, "tail": self.tail}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON that `save` writes."""
        return fingerprint.of_value(self._document())

    def _document(self) -> dict[str, Any]:
        return {
            "format": "raygene-tokenizer",
            "format_version": FORMAT_VERSION,
            **self.parameters,
            **({} if self.kept is None else {"observed": True}),
            "vocabulary": self.vocabulary,
        }

    @cached_property
    def json(self) -> str:
        """The canonical JSON, of which the fingerprint is the SHA-256."""
        return fingerprint.canonical_json(self._document())

    def differences(self, other: Tokenizer) -> list[str]:
        """The parameters in which two tokenizers differ, as `k 6 against 3`."""
        mine, theirs = self.parameters, other.parameters
        return [f"{name} {mine[name]} against {theirs[name]}" for name in mine if mine[name] != theirs[name]]

    @property
    def text(self) -> str:
        """The content of `tokenizer.json`."""
        return json.dumps(self._document(), indent=0) + "\n"

    def save(self, directory: Path) -> None:
        """Write `tokenizer.json` into a directory."""
        storage.write_text(directory / FILE_NAME, self.text)

    @classmethod
    def load(cls, directory: Path) -> Tokenizer:
        """Read `tokenizer.json` of a dataset or bundle, the file itself, or the metadata of an embedding file.

        Raises:
            DatasetError: missing, damaged, of a newer format, or with a vocabulary that its k does not give.
        """
        path = directory if directory.is_file() else directory / FILE_NAME
        try:
            embedding = path.suffix == ".safetensors"
            document = json.loads(_in_metadata(path) if embedding else path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DatasetError(f"{path}: no tokenizer there", "name a dataset or a bundle made by raygene") from error
        except (OSError, ValueError, RecursionError, SafetensorError) as error:
            raise DatasetError(f"{path}: cannot be read ({error})", "restore the file or build again") from error
        return cls._from_document(document, path)

    @classmethod
    def _from_document(cls, document: Any, path: Path) -> Tokenizer:
        if not isinstance(document, dict) or document.get("format") != "raygene-tokenizer":
            raise DatasetError(f"{path}: not a raygene tokenizer", "name a dataset or a bundle made by raygene")
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            raise DatasetError(
                f"{path}: tokenizer format {version} is not the known {FORMAT_VERSION}", "update raygene"
            )
        try:
            config = TokenizerConfig(k=document["k"], stride=document["stride"], tail=document["tail"])
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{path}: k, stride or tail is missing or wrong", "restore the file") from error
        tokenizer = cls(config.k, config.stride, config.tail)
        vocabulary = document.get("vocabulary")
        if document.get("observed"):
            return replace(tokenizer, kept=tokenizer._numbers(vocabulary, path))
        if vocabulary != tokenizer.vocabulary:
            raise DatasetError(
                f"{path}: the vocabulary is not that of all {config.k}-mers", "restore the file or build again"
            )
        return tokenizer

    def _numbers(self, vocabulary: Any, path: Path) -> tuple[int, ...]:
        """The numbers of the words in an observed vocabulary, ascending; `self` is complete."""
        number = {word: found for found, word in enumerate(self.vocabulary[len(SPECIALS) :])}
        words = vocabulary[len(SPECIALS) :] if isinstance(vocabulary, list) else []
        numbers = tuple(number.get(word, -1) if isinstance(word, str) else -1 for word in words)
        ascending = all(one < other for one, other in itertools.pairwise((-1, *numbers)))
        if not numbers or vocabulary[: len(SPECIALS)] != list(SPECIALS) or not ascending:
            raise DatasetError(
                f"{path}: the vocabulary is not {self.k}-mers in the order of ACGT", "restore the file or build again"
            )
        return numbers

    def token_counts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of sequences of these lengths (bases). Shape as given."""
        full, rest = np.divmod(np.maximum(lengths - self.k, 0), self.stride)
        return full + 1 + ((rest > 0) & (self.tail != "drop"))

    def starts(self, number: NDArray[np.int64] | int, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first base under the token of each number (from 0) in sequences of these lengths. Shape as broadcast."""
        room = np.maximum(lengths - self.k, 0)
        if self.tail != "partial":
            return np.minimum(number * self.stride, room)
        return np.where(number * self.stride <= room, number * self.stride, room - room % self.stride + self.k)

    def shown(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bases from the start of sequences of these lengths to the end of the last token. Shape as given."""
        if self.tail != "drop":
            return lengths
        return lengths - np.maximum(lengths - self.k, 0) % self.stride

    def encode_many(
        self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Encode concatenated sequences.

        Args:
            codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
            lengths: bases of each sequence, shape (sequences,).

        Returns:
            Token ids end to end, shape (tokens,), of `dtype`; and the tokens of each sequence, shape (sequences,).
        """
        counts = self.token_counts(lengths)
        ends, last_tokens = np.cumsum(lengths), np.cumsum(counts)
        tokens = np.empty(int(counts.sum()), self.dtype)
        for group in _groups(ends):
            first = int(ends[group.start] - lengths[group.start])
            self._lay(
                tokens[int(last_tokens[group.start] - counts[group.start]) : int(last_tokens[group.stop - 1])],
                codes[first : int(ends[group.stop - 1])],
                lengths[group],
                counts[group],
            )
        return tokens, counts

    def _lay(
        self, tokens: NDArray[Any], codes: NDArray[np.uint8], lengths: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> None:
        """Fill in the tokens of some sequences."""
        ids = self._ids_everywhere(codes)
        firsts, places = np.cumsum(lengths) - lengths, np.cumsum(counts) - counts
        ends = firsts + lengths
        strides = np.maximum(lengths - self.k, 0) // self.stride + 1
        for first, count, place in zip(firsts.tolist(), strides.tolist(), places.tolist(), strict=True):
            found = ids[first : first + (count - 1) * self.stride + 1 : self.stride]
            tokens[place : place + len(found)] = found
        if self.tail == "anchor":
            more = counts > strides
            tokens[(places + strides)[more]] = ids[ends[more] - self.k]
        tokens[places[lengths < self.k]] = UNK
        if self.tail == "partial":
            rest = np.maximum(lengths - self.k, 0) % self.stride
            cut = rest > 0
            tokens[np.cumsum(counts)[cut] - 1] = self._partial(codes, ends[cut], rest[cut])

    def _ids_everywhere(self, codes: NDArray[np.uint8]) -> NDArray[Any]:
        """The id of the k-mer that starts at every base, across the ends of sequences too, shape (bases - k + 1,)."""
        ids = np.empty(max(len(codes) - self.k + 1, 0), self.dtype)
        for first in range(0, len(ids), BLOCK):
            letters, block = codes[first : first + BLOCK + self.k - 1], ids[first : first + BLOCK]
            kmers = kmer_numbers(letters, self.k)
            if self.kept is None:
                np.add(kmers, len(SPECIALS), out=block, dtype=self.dtype)
            else:
                block[:] = self._ids[kmers]
            if (letters == sequence.OTHER).any():
                block[holds_other(letters, self.k)] = UNK
        return ids

    def _partial(
        self, codes: NDArray[np.uint8], ends: NDArray[np.int64], widths: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Ids of the words of these widths (1 to k - 1) that end before `ends`. Shape as given."""
        number, broken = np.zeros(len(ends), np.int64), np.zeros(len(ends), np.bool_)
        for back in range(self.stride - 1, 0, -1):
            inside = back <= widths
            code = codes[np.maximum(ends - back, 0)]
            number = np.where(inside, number * 4 + (code & 3), number)
            broken |= inside & (code == sequence.OTHER)
        return np.where(broken, UNK, self._ids[number + self._first_numbers[widths]])

    def count(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Occurrences of each id in concatenated sequences (as for `encode_many`), shape (ids,).

        Counts of several batches add up to those of all their sequences.
        """
        return np.bincount(self.encode_many(codes, lengths)[0], minlength=self.vocabulary_size)

    def bases(self, tokens: NDArray[Any], lengths: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The bases that tokens show: what `encode_many` was given, as far as it can be told.

        Args:
            tokens: ids of all sequences end to end, shape (tokens,).
            lengths: bases of each sequence, shape (sequences,).

        Returns:
            Base codes end to end, 4 where every token over a base is a special, shape (sum of bases shown,); and the
            bases shown of each sequence, shape (sequences,): all but what tail `drop` leaves out.
        """
        counts, shown = self.token_counts(lengths), self.shown(lengths)
        within = np.arange(len(tokens)) - np.repeat(np.cumsum(counts) - counts, counts)
        position = np.repeat(np.cumsum(shown) - shown, counts) + self.starts(within, np.repeat(lengths, counts))
        codes = np.full(int(shown.sum()), sequence.OTHER, np.uint8)
        for offset in range(self.k):
            letters = self.letters[tokens, offset]
            known = letters != sequence.OTHER
            codes[position[known] + offset] = letters[known]
        return codes, shown

    def encode(self, bases: str) -> NDArray[Any]:
        """Token ids of one sequence (forward strand), shape (tokens,).

        Raises:
            InputError: the sequence is empty or holds something other than ASCII letters.
        """
        if not bases or not bases.isascii():
            raise InputError(f"sequence {bases[:20]!r}: empty or not ASCII", "give letters of the IUPAC code")
        letters = np.frombuffer(bases.encode(), dtype=np.uint8)
        return self.encode_many(sequence.base_codes(letters), np.array([len(letters)]))[0]

    def decode(self, tokens: Sequence[int] | NDArray[Any]) -> list[str]:
        """The k-mer or special of each id.

        Raises:
            IndexError: an id outside the vocabulary.
        """
        return [self.vocabulary[int(token)] for token in tokens]


def _in_metadata(path: Path) -> str:
    """The JSON of the tokenizer that an embedding file carries."""
    with safe_open(path, framework="numpy") as file:
        return (file.metadata() or {}).get("tokenizer", "")


def _groups(ends: NDArray[np.int64]) -> Iterator[slice]:
    """Consecutive sequences of `BLOCK` bases together at most, or one that is longer, by the ends of all."""
    first = 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = max(int(np.searchsorted(ends, before + BLOCK, side="right")), first + 1)
        yield slice(first, last)
        first = last


def kmer_numbers(codes: NDArray[np.uint8], k: int) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """The base-4 number of the k-mer at every position, other letters read as A; uint16 up to k = 8. Shape (n - k + 1,)."""
    dtype = np.uint16 if k <= 8 else np.uint32
    known = np.bitwise_and(codes, np.uint8(3)) if (codes > 3).any() else codes
    return _over_windows(known.astype(dtype), k, lambda left, right, width: (left << dtype(2 * width)) | right)


def holds_other(codes: NDArray[np.uint8], k: int) -> NDArray[np.bool_]:
    """Whether the k-mer at every position holds another letter than A, C, G and T, shape (n - k + 1,)."""
    return _over_windows(codes == sequence.OTHER, k, lambda left, right, _: left | right)


def _over_windows(
    values: NDArray[Any], k: int, join: Callable[[NDArray[Any], NDArray[Any], int], NDArray[Any]]
) -> NDArray[Any]:
    """Each window of `k` values joined, by doubling: windows of 1, 2, 4 ... are put together as k in binary says.

    Args:
        values: shape (n,).
        k: width of a window.
        join: puts windows beside windows of the given width to their right.
    """
    if len(values) < k:
        return values[:0]
    power, power_width = values, 1
    found, width = None, 0
    while True:
        if k & power_width:
            if found is None:
                found = power
            else:
                size = len(values) - (width + power_width) + 1
                found = join(found[:size], power[width : width + size], power_width)
            width += power_width
        if width == k:
            assert found is not None
            return found
        size = len(values) - 2 * power_width + 1
        power = join(power[:size], power[power_width : power_width + size], power_width)
        power_width *= 2
