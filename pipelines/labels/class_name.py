"""Names of classes, as labels of sequences and lists of an experiment write them."""

from __future__ import annotations

import re

MAX_LETTERS = 100
MISSING = {"", "na", "n/a", "#n/a", "nan", "none", "null"}
"""What stands for a missing label, in any case of its letters."""
_WHOLE = re.compile(r"([+-]?(?:0|[1-9][0-9]*))(\.0*|,0+)?")


def class_name(text: str) -> str | None:
    """A field as the name of a class; None for what stands for a missing label, and for what is no name.

    A whole number is the same whether it is written as 2, 2.0 or +2; with leading zeros, as in 007, it is a name.
    """
    text = text.strip()
    if text.lower() in MISSING or len(text) > MAX_LETTERS or not text.isprintable():
        return None
    number = _WHOLE.fullmatch(text)
    return str(int(number[1])) if number else text
