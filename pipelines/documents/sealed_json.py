"""JSON documents with a digest of their own content, so that a changed value is noticed.

`digest` is the SHA-256 of the canonical JSON of everything else. This detects damage, mix-ups and edits, not forgery:
whoever rewrites everything can write a new digest too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pipelines import fingerprint
from pipelines.display import format_size

DIGEST = "digest"
Pairs = list[tuple[str, Any]]


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its digest; an earlier digest is replaced."""
    # As a reader gets it: JSON turns tuples into lists and keys into text.
    content = json.loads(json.dumps({key: value for key, value in document.items() if key != DIGEST}))
    return content | {DIGEST: fingerprint.of_value(content)}


def is_intact(document: Mapping[str, Any]) -> bool:
    """Whether a document's digest is that of its content; False if it has none."""
    content = {key: value for key, value in document.items() if key != DIGEST}
    try:
        return document.get(DIGEST) == fingerprint.of_value(content)
    except RecursionError:
        return False


def parse(content: bytes, largest: int, make: Callable[[Pairs], Any] = dict, *, strict: bool = False) -> Any:
    """The value of a JSON text from anywhere.

    Args:
        content: UTF-8 text.
        largest: bytes that it may have.
        make: makes an object of its keys and values.
        strict: also refuse NaN and Infinity, and text that is not Unicode: half of a pair of `\\u` escapes.

    Raises:
        ValueError: it is too large or nested too deep, not JSON, or has a key twice.
    """
    if len(content) > largest:
        raise ValueError(f"larger than {format_size(largest)}")

    def make_unique(pairs: Pairs) -> Any:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a key occurs twice")
        return make(pairs)

    try:
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=make_unique, parse_constant=_refuse if strict else None
        )
        if strict and b"\\u" in content:
            # Nothing can print it.
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not a number")
