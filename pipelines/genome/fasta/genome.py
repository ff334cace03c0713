"""Genomes as FASTA files: random access to any part of any sequence, as bytes, through an index.

A part is one positioned read and one copy without line ends, about twice as fast as pyfaidx's text. After every read
the file's status is compared with the one it was hashed with: nothing else is ever returned than what was hashed.

Compressed files are unpacked once into the cache, named by the SHA-256 of their content, and read from there: whole
chromosomes are needed, and every task would inflate block-gzip again. Indexes are in the cache too, never next to the
input.
"""

from __future__ import annotations

import os
import platform
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.genome.fasta import cache as fasta_cache
from pipelines.genome.fasta.index import Record
from pipelines.genome.sequence import Bytes
from pipelines.inputs import contents, downloads
from pipelines.progress import Progress

# A single read returns at most 2 GiB on Linux.
_MAX_READ = 1 << 30


class Genome:
    """Random access to the sequences of one FASTA file.

    It pickles as its path and content; each process opens the file for itself, and checks that it is the same.

    Attributes:
        name: the genome's name in the experiment.
        fasta: the FASTA file, plain or compressed.
        content: SHA-256 of that file.
        machine: where the SHA-256 was taken.
        origin: the address that the file was copied from; None if it is no copy.
    """

    def __init__(
        self,
        name: str,
        fasta: Path,
        content: str,
        machine: str | None = None,
        origin: downloads.Origin | None = None,
    ) -> None:
        self.name = name
        self.fasta = fasta
        self.content = content
        self.machine = machine or platform.node()
        self.origin = origin
        self._opened: fasta_cache.OpenGenome | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.name, self.fasta, self.content, self.machine, self.origin))

    @property
    def _open(self) -> fasta_cache.OpenGenome:
        if self._opened is None:
            fasta = self.fasta if self.origin is None else self.origin.local()
            self._opened = fasta_cache.open_genome(fasta, self.content, self.machine)
        return self._opened

    @property
    def lengths(self) -> dict[str, int]:
        """Name to length in bases of every sequence, in file order; a name is the first word of its header."""
        return self._open.lengths

    def sequence(self, chromosome: str, start: int, end: int) -> Bytes:
        """The letters of [start, end) on the forward strand, 0-based, case kept; shape (end - start,).

        An end past the sequence's is its end.

        Raises:
            InputError: the file is not the one that was hashed any more.
        """
        opened = self._open
        record = opened.index[chromosome]
        end = min(end, record.length)
        if start >= end:
            return np.empty(0, np.uint8)
        for _ in range(contents.TRIES):
            letters = _read_letters(opened.stream, record, start, end)
            if opened.is_unchanged() and letters is not None:
                return letters
        raise contents.changed(opened.path)

    def runs_of_n(self, chromosome: str, min_length: int) -> NDArray[np.int64]:
        """Start and end of every maximal run of N or n of at least `min_length` bases, shape (runs, 2)."""
        number, runs = self._open.numbers[chromosome], self._open.runs_of_n
        first, last = np.searchsorted(runs[:, 0], [number, number + 1])
        on_chromosome = np.array(runs[first:last, 1:])
        return on_chromosome[on_chromosome[:, 1] - on_chromosome[:, 0] >= min_length]

    def close(self) -> None:
        """Close the file; the next access opens it again."""
        if self._opened is not None:
            self._opened.stream.close()
            self._opened = None


def _read_letters(file: BufferedReader, record: Record, start: int, end: int) -> Bytes | None:
    """The letters [start, end) of a sequence; None if the file ends before the last one.

    Args:
        file: the plain FASTA file, open.
        record: the sequence's line of the index.
        start: first letter.
        end: the letter after the last one; larger than `start`, at most the length.
    """
    letters, width = record.letters, record.width
    column = start % letters
    first = record.offset + start // letters * width + column
    count = record.offset + (end - 1) // letters * width + (end - 1) % letters + 1 - first
    # The buffer has whole lines, of which only the requested bytes are read: line ends are the last columns of a table.
    lines = np.empty(-(-(column + count) // width) * width, np.uint8)
    buffer = lines.data[column : column + count]
    done = 0
    while done < count:
        read = os.preadv(file.fileno(), [buffer[done : done + _MAX_READ]], first + done)
        if not read:
            return None
        done += read
    return lines.reshape(-1, width)[:, :letters].reshape(-1)[column : column + end - start]


def open_genome(name: str, fasta: Path, progress: Progress) -> Genome:
    """Check a FASTA file, unpack it if needed, and index it.

    Raises:
        InputError: missing, empty, a damaged compressed stream, not FASTA, uneven lines or repeated names.
    """
    if fasta.is_dir():
        raise InputError(f"{fasta}: is a directory", "name a FASTA file")
    # Absolute, because workers have another working directory.
    genome = Genome(name, fasta.absolute(), contents.of_file(fasta), origin=downloads.origin_of(fasta))
    genome._opened = fasta_cache.open_genome(
        genome.fasta, genome.content, genome.machine, lambda text: progress.note(f"{name}: {text}")
    )
    return genome
