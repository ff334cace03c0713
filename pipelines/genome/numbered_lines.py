"""Numbered lines of plain or gzip text files, and the numbers in them.

Decoding never fails: a byte order mark is passed over and bytes that are not UTF-8 become U+FFFD.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import InputError

LONGEST_NUMBER = 15


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a plain or gzip text file, without their ends.

    Raises:
        InputError: missing, unreadable, or a cut-off gzip stream.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            stream = gzip.open(raw) if packed else raw
            with io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace") as text:  # type: ignore[arg-type]
                for number, line in enumerate(text, 1):
                    yield number, line.rstrip("\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gzip stream is damaged or cut off", "fetch the file again") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "check the path and its permissions") from error


def coordinate(text: str, path: Path, number: int) -> int:
    """A column as a position in bases.

    Raises:
        InputError: not decimal digits, or beyond any chromosome.
    """
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"{path}: line {number}: {text[:30]!r} is not a whole number", "mend the line")
    if len(text) > LONGEST_NUMBER:
        raise InputError(f"{path}: line {number}: {text[:30]} lies beyond any chromosome", "mend the line")
    return int(text)
