"""The index of a FASTA file: where every sequence lies, that its lines are even, and where it is N.

The layout is samtools' .fai (name, length, offset, letters a line, bytes a line), which pyfaidx reads; runs of N are kept
beside it, so that nobody has to read a whole genome for them again. About 0.7 GB/s; memory is one block.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.genome import sequence

BLOCK = 1 << 22
_NEWLINE, _RETURN, _SPACE = ord("\n"), ord("\r"), ord(" ")


@dataclass(frozen=True)
class Record:
    """One sequence of a FASTA file: a line of its index."""

    name: str
    length: int
    offset: int
    letters: int
    width: int

    def line(self) -> str:
        """As .fai writes it."""
        return f"{self.name}\t{self.length}\t{self.offset}\t{self.letters}\t{self.width}\n"


@dataclass(frozen=True)
class Index:
    """What a FASTA file holds.

    Attributes:
        records: its sequences, in file order.
        runs_of_n: number of the record, start and end of every maximal run of N or n, in order, shape (runs, 3).
    """

    records: list[Record]
    runs_of_n: NDArray[np.int64]


def scan(path: Path, named: Path) -> Index:
    """Read a plain FASTA file once and index it.

    Args:
        path: the file.
        named: what to call it in an error.

    Raises:
        InputError: no FASTA, a header without a name, a name that occurs twice, or lines of unequal length.
    """
    with path.open("rb") as stream:
        descriptor = stream.fileno()
        size = os.fstat(descriptor).st_size
        headers = _headers(descriptor, size)
        if not headers or headers[0] != 0:
            raise InputError(f"{named}: not a FASTA file (it does not begin with '>')", "name a FASTA file")
        records: list[Record] = []
        runs: list[NDArray[np.int64]] = []
        seen: set[str] = set()
        for number, (start, following) in enumerate(itertools.pairwise([*headers, size])):
            record = _layout(descriptor, start, following, named)
            if record.name in seen:
                raise InputError(f"{named}: two sequences are called {record.name!r}", "rename one")
            seen.add(record.name)
            found = _checked(descriptor, record, named)
            records.append(record)
            runs.append(np.column_stack([np.full(len(found), number), found]))
    return Index(records, np.concatenate(runs))


def _headers(descriptor: int, size: int) -> list[int]:
    """Where a line begins with '>', ascending."""
    found = []
    before = b"\n"
    for first in range(0, size, BLOCK):
        block = before + os.pread(descriptor, BLOCK, first)
        at = block.find(b">", 1)
        while at >= 0:
            if block[at - 1] == _NEWLINE:
                found.append(first + at - 1)
            at = block.find(b">", at + 1)
        before = block[-1:]
    return found


def _find_newline(descriptor: int, first: int, last: int) -> int:
    """The first line end in [first, last), or `last`."""
    step = 1 << 12
    while first < last:
        block = os.pread(descriptor, min(step, last - first), first)
        at = block.find(b"\n")
        if at >= 0 or not block:
            return first + at if block else last
        first += len(block)
        step = BLOCK
    return last


def _layout(descriptor: int, start: int, following: int, named: Path) -> Record:
    """What the header and the first line of a sequence tell."""
    header_end = _find_newline(descriptor, start, following)
    words = os.pread(descriptor, header_end - start - 1, start + 1).split(maxsplit=1)
    try:
        name = words[0].decode("utf-8")
    except (IndexError, UnicodeDecodeError) as error:
        shown = words[0][:20] if words else b">"
        raise InputError(f"{named}: a sequence without a readable name ({shown!r})", "name it") from error
    first = min(header_end + 1, following)
    last = _without_line_ends(descriptor, first, following)
    line_end = _find_newline(descriptor, first, last)
    if line_end == last:
        letters, width = last - first, last - first + 1
    else:
        width = line_end + 1 - first
        letters = width - 1 - (os.pread(descriptor, 1, max(line_end - 1, first)) == b"\r")
    lines, rest = divmod(last - first, width)
    if last > first and not 0 < rest <= letters:
        raise _uneven(named, name)
    return Record(name, lines * letters + rest, first, letters, width)


def _without_line_ends(descriptor: int, first: int, last: int) -> int:
    """Where the bytes [first, last) end if line ends at their end are left off."""
    while last > first:
        block = os.pread(descriptor, min(64, last - first), max(first, last - 64))
        kept = len(block.rstrip(b"\r\n"))
        last -= len(block) - kept
        if kept:
            break
    return last


def _checked(descriptor: int, record: Record, named: Path) -> NDArray[np.int64]:
    """Runs of N of a sequence, shape (runs, 2), once every line end is where it should be and nowhere else."""
    found: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    if record.length == 0:
        return found[0]
    bytes_in_all = _bytes_before(record, record.length - 1) + 1
    for first in range(0, bytes_in_all, BLOCK):
        raw = os.pread(descriptor, min(BLOCK, bytes_in_all - first), record.offset + first)
        block = np.frombuffer(raw, np.uint8)
        last = first + len(raw)
        ends = np.flatnonzero(block <= _SPACE)
        column = (ends + first) % record.width
        right = np.where(column == record.width - 1, _NEWLINE, _RETURN)
        before, upto = _line_end_bytes(record, first), _line_end_bytes(record, last)
        if len(ends) != upto - before or (column < record.letters).any() or (block[ends] != right).any():
            raise _uneven(named, record.name)
        if b"N" in raw or b"n" in raw:
            runs = sequence.runs_of_n(block[block > _SPACE], 1) + (first - before)
            if len(runs) and len(found[-1]) and found[-1][-1, 1] == runs[0, 0]:
                found[-1][-1, 1], runs = runs[0, 1], runs[1:]
            found.append(runs) if len(runs) else None
    return np.concatenate(found)


def _bytes_before(record: Record, letter: int) -> int:
    """Bytes of a sequence before one of its letters."""
    return letter // record.letters * record.width + letter % record.letters


def _line_end_bytes(record: Record, byte: int) -> int:
    """How many of a sequence's first bytes are line ends."""
    lines, rest = divmod(byte, record.width)
    return lines * (record.width - record.letters) + max(rest - record.letters, 0)


def _uneven(named: Path, name: str) -> InputError:
    return InputError(
        f"{named}: the lines of sequence {name!r} are of unequal length, or hold blanks",
        "rewrite it, with seqtk seq -l 60 for instance",
    )
