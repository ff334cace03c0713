"""Numbered lines of plain or gzip text files, and the coordinates in them.

Decoding never fails: a byte order mark is skipped, and bytes that are not UTF-8 become U+FFFD.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import InputError

MAX_DIGITS = 15


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text of every line of a plain or gzip file, without line ends.

    Raises:
        InputError: missing, unreadable, or a damaged gzip stream.
    """
    try:
        with path.open("rb") as raw:
            is_gzip = raw.peek(2)[:2] == b"\x1f\x8b"
            stream = gzip.open(raw) if is_gzip else raw
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
        InputError: not decimal digits, or larger than any chromosome.
    """
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"{path}: line {number}: {text[:30]!r} is not a whole number", "fix the line")
    if len(text) > MAX_DIGITS:
        raise InputError(f"{path}: line {number}: {text[:30]} is larger than any chromosome", "fix the line")
    return int(text)
