"""The tokenizer as a Hugging Face `tokenizer.json`, for `tokenizers` and `transformers`.

The format is that of the tokenizers library (https://huggingface.co/docs/tokenizers): a word-level model over the same
vocabulary, with the same ids. Words that are passed one by one, or separated by white space, get the ids that raygene
gives those k-mers. The format cannot cut a sequence into overlapping k-mers, so raw sequence is cut only if stride = k.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines import storage
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import SPECIALS, UNK

VERSION = "1.0"


def document(tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of Hugging Face's `tokenizer.json`.

    Case is ignored, as raygene does; a word outside the vocabulary is `<unk>`.
    """
    split_words: list[dict[str, Any]] = [{"type": "WhitespaceSplit"}]
    if cuts_sequence(tokenizer):
        pattern = {"Regex": f".{{{tokenizer.k}}}"}
        split_words.append({"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False})
    return {
        "version": VERSION,
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(number, name) for number, name in enumerate(SPECIALS)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Replace", "pattern": {"String": letter.lower()}, "content": letter} for letter in "ACGT"
            ],
        },
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": split_words},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: number for number, word in enumerate(tokenizer.vocabulary)},
            "unk_token": SPECIALS[UNK],
        },
    }


def cuts_sequence(tokenizer: Tokenizer) -> bool:
    """Whether the exported tokenizer cuts raw sequence too, which it can if k-mers do not overlap."""
    return tokenizer.stride == tokenizer.k


def agreement(tokenizer: Tokenizer) -> str:
    """One sentence on the input for which the exported tokenizer gives the same ids as raygene."""
    words = f"ids agree on sequence split into {tokenizer.k}-mers"
    if not cuts_sequence(tokenizer):
        return f"{words}; it cannot cut raw sequence, since stride {tokenizer.stride} is not k {tokenizer.k}"
    if tokenizer.tail == "partial":
        return f"{words}, and on raw sequence of at least {tokenizer.k} bases"
    return f"{words}, and on raw sequence whose length is a multiple of {tokenizer.k}"


def save(tokenizer: Tokenizer, path: Path) -> None:
    """Write `tokenizer.json`, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    storage.write_text(path, json.dumps(document(tokenizer), indent=1) + "\n")


def _special(number: int, name: str) -> dict[str, Any]:
    # Not normalised: upper-casing the bases among the letters of "<mask>" would keep it from being matched.
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": name, **flags}
