"""k-mer tokenizer and its vocabulary: base codes to token ids and back.

Encoding is one vectorised pass over any number of concatenated sequences: log2(k) passes of shifted adds give
the k-mer at every base, then the token positions are gathered.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint, sequence, storage
from pipelines.config import TokenizerConfig
from pipelines.errors import DatasetError, InputError

FORMAT_VERSION = 1
FILE_NAME = "tokenizer.json"
SPECIALS = ("<pad>", "<unk>", "<mask>")
PAD, UNK, MASK = 0, 1, 2


@dataclass(frozen=True)
class Tokenizer:
    """Cuts a sequence into k-mers every `stride` bases and numbers them.

    Ids 0, 1, 2 are `<pad>`, `<unk>`, `<mask>`; then all 4^k k-mers in the order of ACGT. A k-mer with any other
    letter is `<unk>`, and so is a sequence shorter than k, as one token. Case is ignored.
    """

    k: int
    stride: int
    tail: str

    @classmethod
    def from_config(cls, config: TokenizerConfig) -> Tokenizer:
        """The tokenizer a configuration asks for; `from` reads that of a dataset or bundle.

        Raises:
            DatasetError: nothing readable there.
        """
        if config.reuse is not None:
            return cls.load(Path(config.reuse))
        return cls(config.k, config.stride, config.tail)

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, specials included."""
        return len(SPECIALS) + 4**self.k

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest of uint16 and uint32 that holds every id."""
        return np.dtype(np.uint16 if self.vocabulary_size <= 1 << 16 else np.uint32)

    @cached_property
    def vocabulary(self) -> list[str]:
        """Every token, in the order of its id."""
        return [*SPECIALS, *("".join(bases) for bases in itertools.product("ACGT", repeat=self.k))]

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
            "vocabulary": self.vocabulary,
        }

    def differences(self, other: Tokenizer) -> list[str]:
        """The parameters in which two tokenizers differ, as `k 6 against 3`."""
        mine, theirs = self.parameters, other.parameters
        return [f"{name} {mine[name]} against {theirs[name]}" for name in mine if mine[name] != theirs[name]]

    def save(self, directory: Path) -> None:
        """Write `tokenizer.json` into a directory."""
        storage.write_text(directory / FILE_NAME, json.dumps(self._document(), indent=0) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Tokenizer:
        """Read `tokenizer.json` of a dataset or bundle, or the file itself.

        Raises:
            DatasetError: missing, damaged, of a newer format, or with a vocabulary that its k does not give.
        """
        path = directory if directory.is_file() else directory / FILE_NAME
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DatasetError(f"{path}: no tokenizer there", "name a dataset or a bundle made by raygene") from error
        except (OSError, ValueError) as error:
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
        except (KeyError, ValueError) as error:
            raise DatasetError(f"{path}: k, stride or tail is missing or wrong", "restore the file") from error
        tokenizer = cls(config.k, config.stride, config.tail)
        if document.get("vocabulary") != tokenizer.vocabulary:
            raise DatasetError(
                f"{path}: the vocabulary is not that of all {config.k}-mers", "restore the file or build again"
            )
        return tokenizer

    def token_counts(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of sequences of these lengths (bases). Shape as given."""
        room = np.maximum(lengths - self.k, 0)
        full, rest = np.divmod(room, self.stride)
        anchored = (rest > 0) if self.tail == "anchor" else np.zeros_like(rest, np.bool_)
        return full + 1 + anchored

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
        starts = np.cumsum(lengths) - lengths
        total = int(counts.sum())
        within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        last = np.repeat(lengths - self.k, counts)
        position = np.repeat(starts, counts) + np.minimum(within * self.stride, np.maximum(last, 0))
        kmers, broken = _kmers(codes, self.k)
        if len(kmers) == 0:
            return np.full(total, UNK, dtype=self.dtype), counts
        position = np.minimum(position, len(kmers) - 1)
        unknown = broken[position] | (last < 0)
        return np.where(unknown, UNK, kmers[position] + len(SPECIALS)).astype(self.dtype), counts

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


def _kmers(codes: NDArray[np.uint8], k: int) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
    """The base-4 number of the k-mer at every position, and whether it holds another letter. Shape (n - k + 1,)."""
    if len(codes) < k:
        return np.empty(0, np.uint32), np.empty(0, np.bool_)
    power, power_bad = (codes & 3).astype(np.uint32), codes == sequence.OTHER
    power_width = 1
    number, bad, width = None, None, 0
    rest = k
    while rest:
        if rest & 1:
            if number is None or bad is None:
                number, bad = power, power_bad
            else:
                size = len(codes) - (width + power_width) + 1
                number = (number[:size] << np.uint32(2 * power_width)) | power[width : width + size]
                bad = bad[:size] | power_bad[width : width + size]
            width += power_width
        rest >>= 1
        if rest:
            size = len(codes) - 2 * power_width + 1
            power = (power[:size] << np.uint32(2 * power_width)) | power[power_width : power_width + size]
            power_bad = power_bad[:size] | power_bad[power_width : power_width + size]
            power_width *= 2
    assert number is not None
    assert bad is not None
    return number, bad
