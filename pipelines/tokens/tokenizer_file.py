"""The file of a tokenizer, `tokenizer.json`: its document, and reading and checking one.

The same document is in the metadata of an embedding file. A tokenizer's fingerprint is the SHA-256 of the document's
canonical JSON, so the document never changes for a given tokenizer.
"""

from __future__ import annotations

import itertools
import json
import reprlib
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from pipelines import os_errors
from pipelines.config import TokenizerConfig
from pipelines.display import format_size
from pipelines.errors import DatasetError
from pipelines.tokens.kmer_encoding import KmerLayout
from pipelines.tokens.vocabulary import SPECIALS, Vocabulary

FORMAT = "raygene-tokenizer"
FORMAT_VERSION = 1
FILE_NAME = "tokenizer.json"
_RESTORE = "restore the file or build again"
# Three times that of all 10-mers and their parts.
_LARGEST = 64 << 20


class TokenizerParameters(NamedTuple):
    """What a file says of its tokenizer; attributes as those of `Tokenizer`."""

    k: int
    stride: int
    tail: str
    observed_words: tuple[int, ...] | None


def document(layout: KmerLayout, vocabulary: Vocabulary) -> dict[str, Any]:
    """The content of a tokenizer's file."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "k": layout.k,
        "stride": layout.stride,
        "tail": layout.tail,
        **({} if vocabulary.observed_words is None else {"observed": True}),
        "vocabulary": vocabulary.tokens,
    }


def read(location: Path, shown: str | None = None) -> TokenizerParameters:
    """Read the tokenizer of a dataset or bundle, of a `tokenizer.json`, or of an embedding file.

    Args:
        location: a file, or a directory with a `tokenizer.json`.
        shown: the file's name in errors (default: its path).

    Raises:
        DatasetError: missing, damaged, of another format version, or with a vocabulary that does not belong to its k.
    """
    path = location if location.is_file() else location / FILE_NAME
    shown = shown or str(path)
    if path.exists() and not path.is_file():
        raise DatasetError(f"{shown}: not a file", _RESTORE)
    try:
        in_metadata = path.suffix == ".safetensors"
        content = json.loads(_metadata(path) if in_metadata else _text(path))
    except FileNotFoundError as error:
        raise DatasetError(f"{shown}: no tokenizer there", "name a dataset or a bundle made by raygene") from error
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        # Without the path, which may be that of a copy.
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{shown}: cannot be read ({reason})", os_errors.read_fix(error, _RESTORE)) from error
    return _parse(content, shown)


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"larger than {format_size(_LARGEST)}")
    return path.read_text(encoding="utf-8")


def _metadata(path: Path) -> str:
    """The JSON of the tokenizer in the metadata of an embedding file."""
    with safe_open(path, framework="numpy") as file:
        return (file.metadata() or {}).get("tokenizer", "")


def _parse(content: Any, shown: str) -> TokenizerParameters:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DatasetError(f"{shown}: not a raygene tokenizer", "name a dataset or a bundle made by raygene")
    version = content.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise DatasetError(
            f"{shown}: tokenizer format {reprlib.repr(version)} is not {FORMAT_VERSION}, the one this raygene reads",
            "update raygene",
        )
    try:
        config = TokenizerConfig(k=content["k"], stride=content["stride"], tail=content["tail"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{shown}: k, stride or tail is missing or wrong", "restore the file") from error
    complete = Vocabulary(config.k, has_partial=config.tail == "partial")
    vocabulary = content.get("vocabulary")
    if content.get("observed"):
        observed_words = _word_numbers(vocabulary, complete, shown)
        return TokenizerParameters(config.k, config.stride, config.tail, observed_words)
    if vocabulary != complete.tokens:
        raise DatasetError(f"{shown}: the vocabulary is not that of all {config.k}-mers", _RESTORE)
    return TokenizerParameters(config.k, config.stride, config.tail, None)


def _word_numbers(vocabulary: Any, complete: Vocabulary, shown: str) -> tuple[int, ...]:
    """The numbers of the words of an observed vocabulary, ascending."""
    number_of = {word: number for number, word in enumerate(complete.tokens[len(SPECIALS) :])}
    words = vocabulary[len(SPECIALS) :] if isinstance(vocabulary, list) else []
    numbers = tuple(number_of.get(word, -1) if isinstance(word, str) else -1 for word in words)
    # -1, the number of an unknown word, breaks the order too.
    ascending = all(number < following for number, following in itertools.pairwise((-1, *numbers)))
    if not numbers or vocabulary[: len(SPECIALS)] != list(SPECIALS) or not ascending:
        raise DatasetError(f"{shown}: the vocabulary is not {complete.k}-mers in the order of ACGT", _RESTORE)
    return numbers
