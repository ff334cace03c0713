"""The k-mer tokenizer: sequences to token ids and back, by a layout of k-mers and a vocabulary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint, remote, storage
from pipelines.config import TokenizerConfig
from pipelines.errors import InputError, UsageError
from pipelines.genome import sequence
from pipelines.inputs import downloads
from pipelines.tokens import kmer_encoding, tokenizer_file
from pipelines.tokens.kmer_encoding import KmerLayout
from pipelines.tokens.vocabulary import SPECIALS, Vocabulary


@dataclass(frozen=True)
class Tokenizer:
    """Cuts a sequence into k-mers every `stride` bases and numbers them.

    Ids 0, 1, 2 are `<pad>`, `<unk>`, `<mask>`; then follow all 4^k k-mers in the order of ACGT. A k-mer with any other
    letter is `<unk>`, and so is a sequence shorter than k, as one token. Case is ignored.

    Attributes:
        k: bases of a k-mer.
        stride: bases from one k-mer to the next, at most k.
        tail: the token of the bases after the last full stride: `anchor` (one more k-mer, flush with the end), `drop`
            (none), or `partial` (one token of 1 to stride - 1 bases; the 4^(k-1) (k-1)-mers, …, the 4 1-mers follow the
            k-mers in the vocabulary).
        observed_words: numbers of the words in an observed vocabulary, ascending; None if it is complete.
    """

    k: int
    stride: int
    tail: str
    observed_words: tuple[int, ...] | None = None

    @classmethod
    def from_config(cls, config: TokenizerConfig) -> Tokenizer:
        """The tokenizer that a configuration describes; `from` loads that of a dataset, bundle or embedding file.

        For `vocabulary: observed` it has the complete vocabulary: count the tokens of train with it, and pass the
        counts to `restrict_to_observed`.

        Raises:
            DatasetError: `from` names nothing that holds a tokenizer.
        """
        if config.reuse is not None:
            return cls.load(_local(config.reuse))
        return cls(config.k, config.stride, config.tail)

    @cached_property
    def _layout(self) -> KmerLayout:
        return KmerLayout(self.k, self.stride, self.tail)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.k, self.tail == "partial", self.observed_words)

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, specials included."""
        return self._vocabulary.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrower of uint16 and uint32 that holds every id."""
        return self._vocabulary.dtype

    @property
    def vocabulary(self) -> list[str]:
        """Every token as text, in the order of its id."""
        return self._vocabulary.tokens

    @property
    def letters(self) -> NDArray[np.uint8]:
        """Base codes of every token, shape (ids, k); 4 for specials and after the end of a partial k-mer."""
        return self._vocabulary.letters

    @property
    def reverse_complements(self) -> NDArray[Any]:
        """The id of each token's reverse complement, shape (ids,), of `dtype`.

        Specials are their own. The reverse complement of an observed k-mer is `<unk>` if it was not observed itself.
        """
        return self._vocabulary.reverse_complements

    def restrict_to_observed(self, counts: NDArray[np.int64], min_count: int) -> Tokenizer:
        """The tokenizer whose vocabulary holds only the words that occur often enough.

        Args:
            counts: occurrences of each id of this tokenizer, specials included, shape (ids,); the sum of
                `count_tokens` over the sequences of train.
            min_count: occurrences that a word needs.

        Raises:
            UsageError: no word occurs that often.
        """
        frequent = np.flatnonzero(counts[len(SPECIALS) :] >= min_count)
        if len(frequent) == 0:
            raise UsageError(
                f"tokenizer.min_count: no k-mer occurs {min_count} times in train",
                "lower it",
                key="tokenizer.min_count",
            )
        numbers = frequent if self.observed_words is None else np.array(self.observed_words)[frequent]
        return replace(self, observed_words=tuple(numbers.tolist()))

    @property
    def parameters(self) -> dict[str, Any]:
        """What two tokenizers must have in common to be the same, apart from the vocabulary."""
        return {"k": self.k, "stride": self.stride, "tail": self.tail}

    def differences(self, other: Tokenizer) -> list[str]:
        """In what two tokenizers differ: parameters, such as `k 6 against 3`, or with equal ones the vocabulary."""
        own, others = self.parameters, other.parameters
        differing = [f"{name} {own[name]} against {others[name]}" for name in own if own[name] != others[name]]
        return differing or ["the vocabulary"] * (self.fingerprint != other.fingerprint)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of `json`."""
        return fingerprint.of_value(self._document())

    @cached_property
    def json(self) -> str:
        """The canonical JSON of `tokenizer.json`."""
        return fingerprint.canonical_json(self._document())

    @property
    def text(self) -> str:
        """The content of `tokenizer.json` as it is written: the same document, one item a line."""
        return json.dumps(self._document(), indent=0) + "\n"

    def _document(self) -> dict[str, Any]:
        return tokenizer_file.document(self._layout, self._vocabulary)

    def save(self, directory: Path) -> None:
        """Write `tokenizer.json` into a directory.

        Raises:
            StorageError: it cannot be written.
        """
        storage.write_text(directory / tokenizer_file.FILE_NAME, self.text)

    @classmethod
    def load(cls, location: Path, shown: str | None = None) -> Tokenizer:
        """Read the tokenizer of a dataset or bundle, of a `tokenizer.json`, or of an embedding file.

        Args:
            location: a file, or a directory with a `tokenizer.json`.
            shown: the file's name in errors (default: its path).

        Raises:
            DatasetError: missing, damaged, of another format version, or with a vocabulary that does not belong to its
                k.
        """
        return cls(*tokenizer_file.read(location, shown))

    def token_counts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of sequences of these lengths (bases). Shape as given."""
        return self._layout.token_counts(lengths)

    def starts(self, number: NDArray[np.int64] | int, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """The position of the first base of token `number` (from 0) in sequences of these lengths.

        Args:
            number: of the token, an integer or an array that broadcasts with `lengths`.
            lengths: bases of each sequence.

        Returns:
            Shape as broadcast.
        """
        return self._layout.starts(number, lengths)

    def covered_bases(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bases from the start of sequences of these lengths to the end of their last token. Shape as given."""
        return self._layout.covered_bases(lengths)

    def encode_many(
        self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Encode concatenated sequences.

        Args:
            codes: base codes 0 to 4 of all sequences end to end, shape (sum of lengths,).
            lengths: bases of each sequence, shape (sequences,).

        Returns:
            Token ids end to end, shape (tokens,), of `dtype`; and the number of tokens of each sequence, shape
            (sequences,).
        """
        return kmer_encoding.encode(codes, lengths, self._layout, self._vocabulary)

    def encode(self, bases: str) -> NDArray[Any]:
        """Token ids of one sequence (forward strand), shape (tokens,).

        Raises:
            InputError: the sequence is empty or not ASCII.
        """
        if not bases or not bases.isascii():
            raise InputError(f"sequence {bases[:20]!r}: empty or not ASCII", "use letters of the IUPAC code")
        letters = np.frombuffer(bases.encode(), dtype=np.uint8)
        return self.encode_many(sequence.base_codes(letters), np.array([len(letters)]))[0]

    def count_tokens(self, codes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Occurrences of each id in concatenated sequences (as for `encode_many`), shape (ids,).

        The counts of several batches add up to those of all their sequences.
        """
        return np.bincount(self.encode_many(codes, lengths)[0], minlength=self.vocabulary_size)

    def decode(self, tokens: Sequence[int] | NDArray[Any]) -> list[str]:
        """The k-mer or special of each id.

        Raises:
            IndexError: an id outside the vocabulary.
        """
        return [self.vocabulary[int(token)] for token in tokens]

    def decode_bases(
        self, tokens: NDArray[Any], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """The bases that tokens stand for: the inverse of `encode_many`, as far as the tokens determine them.

        Args:
            tokens: ids of all sequences end to end, shape (tokens,).
            lengths: bases of each sequence, shape (sequences,).

        Returns:
            Base codes end to end, shape (sum of bases covered,), 4 where every token over a base is a special; and the
            bases covered in each sequence, shape (sequences,): all but those that tail `drop` leaves out.
        """
        return kmer_encoding.decode_bases(tokens, lengths, self._layout, self._vocabulary)


def _local(location: str) -> Path:
    """The path of a tokenizer's file or directory; of one at an address, that of its file's copy."""
    if (path := remote.local_path(location)) is not None:
        return path
    is_file = urlsplit(location).path.endswith((".json", ".safetensors"))
    return downloads.local(location if is_file else remote.file_in(location, tokenizer_file.FILE_NAME))
