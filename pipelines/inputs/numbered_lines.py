"""Numbered lines of plain or compressed text files, and the coordinates in them.

Decoding never fails: a byte order mark is skipped, and bytes that are not UTF-8 become U+FFFD.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from pipelines import os_errors
from pipelines.errors import InputError
from pipelines.inputs import compression, contents

MAX_DIGITS = 15
# The longest row of an annotation or a table of names. The longest of Ensembl and RefSeq have some 10,000 letters.
MAX_ROW = 1 << 20
_BLOCK = 1 << 18


def lines_of(path: Path, longest: int | None = None) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text of every line of a plain or compressed file, without line ends.

    Args:
        path: plain or compressed.
        longest: of a longer line only the first `longest` + 1 letters are given (`require_row` refuses it); None reads
            every line whole.

    Raises:
        InputError: missing, unreadable, no regular file, a damaged compressed stream, or no text.
    """
    try:
        with (
            contents.open_regular(path) as raw,
            compression.decompressed(raw, path) as plain,
            io.TextIOWrapper(plain, encoding="utf-8-sig", errors="replace") as text,
        ):
            for number, line in enumerate(text_lines(text, longest), 1):
                if "\0" in line:
                    raise InputError(f"{path}: line {number}: holds NUL bytes", "fetch the file again")
                yield number, line
    except OSError as error:
        raise InputError(f"{path}: {os_errors.cause(error)}", os_errors.read_fix(error)) from error


def text_lines(text: io.TextIOBase, longest: int | None) -> Iterator[str]:
    """The lines of a text stream without line ends; of a line that is longer, its first `longest` + 1 letters."""
    pieces: list[str] = []
    size = 0
    while block := text.read(_BLOCK):
        first, *lines = block.split("\n")
        if longest is None or size <= longest:
            pieces.append(first)
            size += len(first)
        if not lines:
            continue
        yield _cut("".join(pieces), longest)
        *whole, last = lines
        yield from whole if longest is None or len(block) <= longest else (_cut(line, longest) for line in whole)
        pieces, size = [last], len(last)
    if size:
        yield _cut("".join(pieces), longest)


def _cut(line: str, longest: int | None) -> str:
    return line if longest is None or len(line) <= longest else line[: longest + 1]


def require_row(line: str, path: Path, number: int) -> None:
    """Refuse a line that `lines_of` cut.

    Raises:
        InputError: longer than `MAX_ROW`.
    """
    if len(line) > MAX_ROW:
        raise InputError(
            f"{path}: line {number}: longer than {MAX_ROW:,} letters",
            "give a file of rows with line ends; no annotation has a row of this length",
        )


def coordinate(text: str, path: Path, number: int) -> int:
    """A column as a position in bases.

    Raises:
        InputError: not decimal digits, negative, or larger than any chromosome.
    """
    if not (text.isascii() and text.isdigit()):
        if text.isascii() and text.startswith("-") and text[1:].isdigit():
            raise InputError(f"{path}: line {number}: {text[:30]} is negative, which no position is", "fix the line")
        raise InputError(f"{path}: line {number}: {text[:30]!r} is not a whole number", "fix the line")
    if len(text) > MAX_DIGITS:
        raise InputError(f"{path}: line {number}: {text[:30]} is larger than any chromosome", "fix the line")
    return int(text)
