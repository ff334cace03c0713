"""Compressed files, recognised by their first bytes whatever their name, and files that are no text, by what they are.

gzip (also in blocks, as bgzip writes it), bzip2, xz, lzma and Zstandard are read, with any number of members. A stream
that is cut off, or followed by other bytes, is an error.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from pipelines.errors import InputError
from pipelines.inputs import foreign

BUFFER = 1 << 18
# xz -9 needs 65 MB; a header can ask for 4 GB.
LZMA_MEMORY = 1 << 29
ENDINGS = (".gz", ".bgz", ".bz2", ".xz", ".lzma", ".zst")
"""Endings of the names of compressed files."""
_XZ = b"\xfd7zXZ\0"


def kind_of(head: bytes) -> str | None:
    """The kind of compression of a file that begins with these bytes; None for a plain one."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head[:3] == b"BZh" and head[3:4].isdigit() and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return "bzip2"
    if head.startswith(_XZ):
        return "xz"
    if head.startswith(b"]\0\0") and len(head) >= 13:
        return "lzma"
    # A frame, or a frame to skip, with which seekable files begin or end.
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return "Zstandard"
    return None


def plain_name(name: str) -> str:
    """The name of a file without the ending of its compression, if it has one."""
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


def decompressed(stream: io.BufferedReader[Any], path: Path) -> io.BufferedReader[Any]:
    """A stream of the plain bytes of an open file, compressed or not.

    Reading it raises InputError where the compressed stream is damaged or cut off.

    Args:
        stream: the file, at its beginning.
        path: its path, for errors.

    Raises:
        InputError: what it holds is no text, compressed twice, or damaged.
        OSError: it cannot be read.
    """
    head = stream.peek(foreign.HEAD)
    kind = kind_of(head)
    if kind is None:
        foreign.require_text(head, path)
        return stream
    plain: io.BufferedReader[Any] = io.BufferedReader(_Plain(_READERS[kind](stream), kind, path), BUFFER)
    head = plain.peek(foreign.HEAD)
    if inner := kind_of(head):
        raise InputError(f"{path}: {inner} within {kind}: compressed twice", f"decompress it once, with {_TOOLS[kind]}")
    foreign.require_text(head, path, within=kind)
    return plain


class _Plain(io.RawIOBase):
    """Bytes of a decompressor, whose errors name the file."""

    def __init__(self, source: Any, kind: str, path: Path) -> None:
        self._source, self._kind, self._path = source, kind, path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._source.readinto(buffer))
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            # A system call gives its error a number, a decompressor does not.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = str(error)
            if "memory" in reason.lower():
                problem = f"the {self._kind} stream needs too much memory to decompress ({reason})"
                raise InputError(f"{self._path}: {problem}", f"decompress it with {_TOOLS[self._kind]}") from error
            raise InputError(
                f"{self._path}: the {self._kind} stream is damaged or cut off", "fetch the file again"
            ) from error


class _Members(io.RawIOBase):
    """Decompresses all members of a file; unlike Python's own readers it takes no other bytes after the last.

    Args:
        source: the compressed file.
        new: makes a decompressor for one member.
        padding: bytes that may stand between members and after the last.
    """

    def __init__(self, source: IO[bytes], new: Callable[[], Any], padding: bytes = b"") -> None:
        self._source, self._new, self._padding = source, new, padding
        self._decompressor: Any = None
        self._input = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decompressor is None:
                self._input = self._without_padding()
                if not self._input:
                    return 0
                self._decompressor = self._new()
            elif self._decompressor.needs_input and not self._input:
                self._input = self._source.read(BUFFER)
                if not self._input:
                    raise EOFError("cut off")
            data, self._input = self._decompressor.decompress(self._input, len(buffer)), b""
            if self._decompressor.eof:
                self._input, self._decompressor = self._decompressor.unused_data, None
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _without_padding(self) -> bytes:
        """The bytes from the next member on; empty at the end of the file."""
        rest = self._input.lstrip(self._padding) if self._padding else self._input
        while not rest and (block := self._source.read(BUFFER)):
            rest = block.lstrip(self._padding) if self._padding else block
        return rest


_READERS: dict[str, Callable[[Any], Any]] = {
    "gzip": lambda stream: gzip.GzipFile(fileobj=stream),
    "bzip2": lambda stream: _Members(stream, bz2.BZ2Decompressor),
    "xz": lambda stream: _Members(stream, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, LZMA_MEMORY), b"\0"),
    "lzma": lambda stream: _Members(stream, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, LZMA_MEMORY)),
    "Zstandard": lambda stream: pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd"),
}
_TOOLS = {"gzip": "gunzip", "bzip2": "bunzip2", "xz": "unxz", "lzma": "unlzma", "Zstandard": "unzstd"}
