"""Genomes as FASTA files: random access to any part of any sequence, as bytes, through an index that pyfaidx reads.

A part is one positioned read and one copy without line ends, about twice as fast as pyfaidx's own text.

Compressed files are unpacked once into the cache, named by the SHA-256 of their content, and read from there: whole
chromosomes are needed, and every task would inflate block-gzip again. Indexes are in the cache too, never next to the
input. Files of the cache appear by rename and are written under a lock, so concurrent processes see the same ones.
"""

from __future__ import annotations

import gzip
import os
import platform
import shutil
import warnings
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyfaidx
from numpy.typing import NDArray

from pipelines import storage
from pipelines.errors import InputError
from pipelines.genome import fasta_index
from pipelines.genome.sequence import Bytes
from pipelines.inputs import contents
from pipelines.progress import Progress

_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 22
# A single read returns at most 2 GiB on Linux.
_MAX_READ = 1 << 30


class Genome:
    """Random access to the sequences of one FASTA file.

    It pickles as its path; each process opens the file for itself.

    Attributes:
        name: the genome's name in the experiment.
        fasta: the FASTA file, plain or compressed.
        content: SHA-256 of that file.
    """

    def __init__(self, name: str, fasta: Path, content: str) -> None:
        self.name = name
        self.fasta = fasta
        self.content = content
        self._faidx: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.name, self.fasta, self.content))

    @property
    def _open(self) -> Any:
        if self._faidx is None:
            self._faidx = _open_indexed(self.fasta, self.content)
        return self._faidx

    @property
    def lengths(self) -> dict[str, int]:
        """Name to length in bases of every sequence, in file order; a name is the first word of its header."""
        return {name: record.rlen for name, record in self._open.index.items()}

    def sequence(self, chromosome: str, start: int, end: int) -> Bytes:
        """The letters of [start, end) on the forward strand, 0-based, case kept; shape (end - start,).

        An end past the sequence's is its end.
        """
        faidx = self._open
        record = faidx.index[chromosome]
        end = min(end, record.rlen)
        if start >= end:
            return np.empty(0, np.uint8)
        return _read_letters(faidx.file, record, start, end)

    def runs_of_n(self, chromosome: str, min_length: int) -> NDArray[np.int64]:
        """Start and end of every maximal run of N or n of at least `min_length` bases, shape (runs, 2)."""
        number = list(self._open.index).index(chromosome)
        runs = np.load(_runs_path(self.content), mmap_mode="r")
        first, last = np.searchsorted(runs[:, 0], [number, number + 1])
        on_chromosome = np.array(runs[first:last, 1:])
        return on_chromosome[on_chromosome[:, 1] - on_chromosome[:, 0] >= min_length]

    def close(self) -> None:
        """Close the file; the next access opens it again."""
        if self._faidx is not None:
            self._faidx.close()
            self._faidx = None


def _read_letters(file: IO[bytes], record: Any, start: int, end: int) -> Bytes:
    """The letters [start, end) of a sequence.

    Args:
        file: the plain FASTA file, open.
        record: the sequence's line of the index, as pyfaidx reads it: `lenc` letters and `lenb` bytes a line.
        start: first letter.
        end: the letter after the last one; larger than `start`, at most the length.

    Raises:
        InputError: the file ends before the last letter.
    """
    letters, width = record.lenc, record.lenb
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
            raise InputError(
                f"{file.name}: shorter than when it was indexed",
                f"run again; if it is in {storage.cache_directory()}, remove it first",
            )
        done += read
    return lines.reshape(-1, width)[:, :letters].reshape(-1)[column : column + end - start]


def open_genome(name: str, fasta: Path, progress: Progress) -> Genome:
    """Check a FASTA file, unpack it if needed, and index it.

    Raises:
        InputError: missing, empty, a damaged gzip stream, not FASTA, uneven lines or repeated names.
    """
    if fasta.is_dir():
        raise InputError(f"{fasta}: is a directory", "name a FASTA file")
    # Absolute, because workers have another working directory.
    genome = Genome(name, fasta.absolute(), contents.of_file(fasta))
    if _is_gzip(fasta) and not _unpacked_path(genome.content).exists():
        progress.note(f"{name}: unpacking {fasta.name} once into {storage.cache_directory()}")
    if not genome.lengths:
        raise InputError(f"{fasta}: holds no sequence", "give a FASTA file with at least one '>' record")
    return genome


def _is_gzip(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(2) == _GZIP_MAGIC
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read on machine {platform.node()} ({error.strerror or error})",
            "put it where every machine can read it",
        ) from error


def _unpacked_path(content: str) -> Path:
    return storage.cache_directory() / "genomes" / f"{content}.fa"


def _index_path(content: str) -> Path:
    return storage.cache_directory() / "genomes" / f"{content}.fai"


def _runs_path(content: str) -> Path:
    return storage.cache_directory() / "genomes" / f"{content}.n.npy"


def _open_indexed(fasta: Path, content: str) -> Any:
    """Open a FASTA file with its index, after unpacking and indexing it if no process of this machine has."""
    plain = _unpacked_path(content) if _is_gzip(fasta) else fasta
    needed = (plain, _index_path(content), _runs_path(content))
    if not all(path.exists() for path in needed):
        with storage.only_writer(storage.cache_directory() / "genomes" / content, wait=True):
            for path in (_unpacked_path(content), _index_path(content), _runs_path(content)):
                storage.remove_partial(path.parent, path.name)
            if not plain.exists():
                _unpack(fasta, plain)
            if not all(path.exists() for path in needed):
                _write_index(fasta, plain, content)
    with warnings.catch_warnings():
        # pyfaidx warns that the file is newer than its index. The index is named by content, so it fits nevertheless.
        warnings.simplefilter("ignore", RuntimeWarning)
        return pyfaidx.Faidx(str(plain), indexname=str(_index_path(content)), rebuild=False, build_index=False)


def _unpack(fasta: Path, plain: Path) -> None:
    with storage.replacing(plain) as temporary:
        try:
            with gzip.open(fasta, "rb") as packed, temporary.open("wb") as stream:
                shutil.copyfileobj(packed, stream, _BLOCK)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{fasta}: the gzip stream is damaged or cut off", "fetch the file again") from error


def _write_index(fasta: Path, plain: Path, content: str) -> None:
    index = fasta_index.scan(plain, fasta)
    with storage.replacing(_runs_path(content)) as temporary, temporary.open("wb") as stream:
        np.save(stream, index.runs_of_n)
    storage.write_text(_index_path(content), "".join(record.line() for record in index.records))
