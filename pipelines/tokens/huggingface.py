"""The tokenizer as a Hugging Face `tokenizer.json`, for `tokenizers` and `transformers`.

The format is that of the tokenizers library (https://huggingface.co/docs/tokenizers): a word-level model over the same
vocabulary, ids unchanged. Words given one by one, or parted by white space, get the ids that raygene gives those k-mers.
Cutting a sequence into overlapping k-mers is beyond the format, so raw sequence is cut only where stride = k.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines import storage
from pipelines.tokens.tokenizer import SPECIALS, UNK, Tokenizer

VERSION = "1.0"


def document(tokenizer: Tokenizer) -> dict[str, Any]:
    """The content of `tokenizer.json`.

    Letters are read without case, as raygene does; a word outside the vocabulary is `<unk>`.
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
    """Whether the exported tokenizer cuts raw sequence too: k-mers must not overlap."""
    return tokenizer.stride == tokenizer.k


def agreement(tokenizer: Tokenizer) -> str:
    """Where the exported tokenizer gives raygene's ids, in one sentence."""
    words = f"ids agree on sequence given as {tokenizer.k}-mers"
    if not cuts_sequence(tokenizer):
        return f"{words}; raw sequence it does not cut, since stride {tokenizer.stride} is not k {tokenizer.k}"
    if tokenizer.tail == "partial":
        return f"{words}, and on raw sequence of at least {tokenizer.k} bases"
    return f"{words}, and on raw sequence whose length is a multiple of {tokenizer.k}"


def save(tokenizer: Tokenizer, path: Path) -> None:
    """Write `tokenizer.json`, whole or not at all.

    Raises:
        ResourceError: the place cannot be written.
    """
    storage.write_text(path, json.dumps(document(tokenizer), indent=1) + "\n")


def _special(number: int, name: str) -> dict[str, Any]:
    # Normalised as a special is matched as it stands; "<mask>" holds letters that are bases.
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": name, **flags}
