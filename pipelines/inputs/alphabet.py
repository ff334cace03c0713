"""The letters of nucleotide sequences, and those that only a protein has.

IUPAC codes follow the 1984 recommendations of the NC-IUB, in either case. U is read as T. Gaps (- and .) and X, with
which RepeatMasker can mask, are unknown bases as N is.
"""

from __future__ import annotations

FIX = "give nucleotides, in the letters of the IUPAC code"
_BLOCK = 1 << 20
_ACCEPTED = b"ACGTURYSWKMBDHVNX-.\r\n"
_FOREIGN = bytes(chr(byte).upper().encode("latin-1", "replace") not in _ACCEPTED for byte in range(256))


def foreign_letter(letters: bytes) -> str | None:
    """The first letter that is no nucleotide, gap or X; None if there is none. Line ends are passed over."""
    for first in range(0, len(letters), _BLOCK):
        block = letters[first : first + _BLOCK]
        position = block.translate(_FOREIGN).find(b"\1")
        if position >= 0:
            return chr(block[position])
    return None


def describe(letter: str) -> str:
    """What a foreign letter is, for a message."""
    kind = "a letter of proteins" if letter.upper() in "EFILOPQZJ*" else "no nucleotide"
    return f"{letter!r} is {kind}"
