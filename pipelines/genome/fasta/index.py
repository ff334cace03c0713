"""The index of a FASTA file: the position of every sequence, a check that its lines are even, and its runs of N.

The format is samtools' .fai (name, length, offset, letters per line, bytes per line). Runs of N are found in the same
pass, so that no one reads a whole genome for them again. About 0.7 GB/s; memory is one block.
"""

from __future__ import annotations

import codecs
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.display import format_size
from pipelines.errors import InputError
from pipelines.genome import sequence
from pipelines.inputs import alphabet

BLOCK = 1 << 22
SAMPLE = 1 << 16
"""Bytes of each block whose letters are checked: a protein shows in the first, and all would take half the time again.
"""
MAX_HEADER = 1 << 20
_NEWLINE, _RETURN, _SPACE = ord("\n"), ord("\r"), ord(" ")


@dataclass(frozen=True)
class Record:
    """One sequence of a FASTA file: a line of its index.

    Attributes:
        name: first word of its header.
        length: its bases.
        offset: byte of the file at which its first letter is.
        letters: letters of a full line.
        width: bytes of a full line, line end included.
    """

    name: str
    length: int
    offset: int
    letters: int
    width: int

    def line(self) -> str:
        """The line of a .fai file."""
        return f"{self.name}\t{self.length}\t{self.offset}\t{self.letters}\t{self.width}\n"


@dataclass(frozen=True)
class Index:
    """The content of a FASTA file.

    Attributes:
        records: its sequences, in file order.
        runs_of_n: record number, start and end of every maximal run of N or n, in order; shape (runs, 3).
    """

    records: list[Record]
    runs_of_n: NDArray[np.int64]


def parse(text: str) -> Iterator[Record]:
    """The records of the text of an index."""
    for line in text.split("\n")[:-1]:
        name, *numbers = line.split("\t")
        yield Record(name, *map(int, numbers))


def scan(descriptor: int, original: Path) -> Index:
    """Read a plain FASTA file once and index it. A byte order mark and blank lines before the first header are skipped.

    Args:
        descriptor: of the open file.
        original: the file that the user named, for errors; what is open may be its unpacked copy.

    Raises:
        InputError: not FASTA, a header without a name, a name that occurs twice, or lines of unequal length.
    """
    size = os.fstat(descriptor).st_size
    first = first_header(os.pread(descriptor, BLOCK, 0), original)
    headers = _headers(descriptor, first, size)
    records: list[Record] = []
    runs: list[NDArray[np.int64]] = []
    seen: set[str] = set()
    for number, (start, end) in enumerate(itertools.pairwise([*headers, size])):
        record = _record_at(descriptor, start, end, original)
        if record.name in seen:
            raise InputError(f"{original}: two sequences have the name {record.name!r}", "rename one")
        seen.add(record.name)
        runs_of_n = _check_lines(descriptor, record, original)
        records.append(record)
        runs.append(np.column_stack([np.full(len(runs_of_n), number), runs_of_n]))
    return Index(records, np.concatenate(runs))


def first_header(block: bytes, original: Path) -> int:
    """The position of the first header of a file that begins with a block.

    Raises:
        InputError: the file does not begin with one.
    """
    body = block.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    if body.startswith(b">"):
        return len(block) - len(body)
    if not body:
        raise InputError(f"{original}: not a FASTA file (it is empty)", "name a FASTA file")
    if body.startswith(b"@"):
        raise InputError(f"{original}: a FASTQ file, not FASTA", "convert it, for example with seqtk seq -a")
    if body.startswith(b";"):
        raise InputError(f"{original}: begins with a ';' comment, not with '>'", "remove the lines that begin with ';'")
    line = body[:40].splitlines()[0].decode("utf-8", "replace")
    raise InputError(f"{original}: not a FASTA file (it begins with {line!r}, not with '>')", "name a FASTA file")


def _headers(descriptor: int, first_header: int, size: int) -> list[int]:
    """Positions of the lines that begin with '>', ascending."""
    positions = []
    last_byte = b"\n"
    for first in range(first_header, size, BLOCK):
        # The last byte of the block before decides whether a '>' at the start of this one begins a line.
        block = last_byte + os.pread(descriptor, BLOCK, first)
        index = block.find(b">", 1)
        while index >= 0:
            if block[index - 1] == _NEWLINE:
                positions.append(first + index - 1)
            index = block.find(b">", index + 1)
        last_byte = block[-1:]
    return positions


def _find_newline(descriptor: int, first: int, last: int) -> int:
    """The position of the first line end in [first, last), or `last`."""
    # Lines are short as a rule; only a long one is searched in large blocks.
    step = 1 << 12
    while first < last:
        block = os.pread(descriptor, min(step, last - first), first)
        index = block.find(b"\n")
        if index >= 0 or not block:
            return first + index if block else last
        first += len(block)
        step = BLOCK
    return last


def _record_at(descriptor: int, start: int, end: int, original: Path) -> Record:
    """The record of the sequence whose header and lines are the bytes [start, end), from its header and first line."""
    header_end = _find_newline(descriptor, start, end)
    header = os.pread(descriptor, min(header_end - start - 1, MAX_HEADER), start + 1)
    if b"\r" in header[:-1]:
        raise InputError(
            f"{original}: has CR line ends, as old Macs wrote them", "convert it, with tr '\\r' '\\n' < OLD > NEW"
        )
    if len(header) == MAX_HEADER:
        raise InputError(
            f"{original}: a header of more than {format_size(MAX_HEADER)} ({header[:20]!r})", "break its line"
        )
    words = header.split(maxsplit=1)
    try:
        name = words[0].decode("utf-8")
    except (IndexError, UnicodeDecodeError) as error:
        shown = words[0][:20] if words else b">"
        raise InputError(f"{original}: a sequence without a readable name ({shown!r})", "name it") from error
    first = min(header_end + 1, end)
    last = _without_line_ends(descriptor, first, end)
    line_end = _find_newline(descriptor, first, last)
    if line_end == last:
        letters, width = last - first, last - first + 1
    else:
        width = line_end + 1 - first
        letters = width - 1 - (os.pread(descriptor, 1, max(line_end - 1, first)) == b"\r")
    lines, rest = divmod(last - first, width)
    if last > first and not 0 < rest <= letters:
        raise _uneven(original, name)
    return Record(name, lines * letters + rest, first, letters, width)


def _without_line_ends(descriptor: int, first: int, last: int) -> int:
    """The end of the bytes [first, last) without the line ends at their end."""
    while last > first:
        block = os.pread(descriptor, min(64, last - first), max(first, last - 64))
        length = len(block.rstrip(b"\r\n"))
        last -= len(block) - length
        if length:
            break
    return last


def _check_lines(descriptor: int, record: Record, original: Path) -> NDArray[np.int64]:
    """Check that every line end of a sequence is where its record puts it and nowhere else; return its runs of N.

    Returns:
        Start and end of each run in bases, shape (runs, 2).
    """
    runs_of_n: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    if record.length == 0:
        return runs_of_n[0]
    total_bytes = _bytes_before(record, record.length - 1) + 1
    for first in range(0, total_bytes, BLOCK):
        raw = os.pread(descriptor, min(BLOCK, total_bytes - first), record.offset + first)
        block = np.frombuffer(raw, np.uint8)
        last = first + len(raw)
        ends = np.flatnonzero(block <= _SPACE)
        column = (ends + first) % record.width
        expected = np.where(column == record.width - 1, _NEWLINE, _RETURN)
        ends_before, ends_including = _line_end_bytes(record, first), _line_end_bytes(record, last)
        is_complete = len(ends) == ends_including - ends_before
        if not is_complete or (column < record.letters).any() or (block[ends] != expected).any():
            if b"\0" in raw:
                raise InputError(f"{original}: sequence {record.name!r} holds NUL bytes", "fetch the file again")
            raise _uneven(original, record.name)
        if letter := alphabet.foreign_letter(raw[:SAMPLE]):
            raise InputError(f"{original}: sequence {record.name[:60]!r}: {alphabet.describe(letter)}", alphabet.FIX)
        if b"N" in raw or b"n" in raw:
            runs = sequence.runs_of_n(block[block > _SPACE], 1) + (first - ends_before)
            if len(runs) and len(runs_of_n[-1]) and runs_of_n[-1][-1, 1] == runs[0, 0]:
                # A run across the border of two blocks is one run.
                runs_of_n[-1][-1, 1], runs = runs[0, 1], runs[1:]
            if len(runs):
                runs_of_n.append(runs)
    return np.concatenate(runs_of_n)


def _bytes_before(record: Record, letter: int) -> int:
    """How many bytes of a sequence precede one of its letters."""
    return letter // record.letters * record.width + letter % record.letters


def _line_end_bytes(record: Record, byte: int) -> int:
    """How many of the first `byte` bytes of a sequence are line ends."""
    lines, rest = divmod(byte, record.width)
    return lines * (record.width - record.letters) + max(rest - record.letters, 0)


def _uneven(original: Path, name: str) -> InputError:
    return InputError(
        f"{original}: the lines of sequence {name!r} have unequal lengths or contain blanks",
        "rewrite it, for example with seqtk seq -l 60",
    )
