"""Genomes as FASTA files: any stretch of any sequence, as bytes, through an index that pyfaidx reads.

A stretch is one positioned read and one copy without the line ends, about twice as fast as pyfaidx's own text.

Compressed files are unpacked once into the cache, named by the SHA-256 of their content, and read from there:
whole chromosomes are needed, and block-gzip would be inflated again by every task. Indexes live in the cache
too, never beside the input. Both appear by rename under a lock, so that concurrent processes agree.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import platform
import shutil
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyfaidx
from numpy.typing import NDArray

from pipelines import storage
from pipelines.errors import InputError
from pipelines.genome import contents, fasta_index
from pipelines.genome.sequence import Bytes
from pipelines.progress import Progress

_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 22
_LONGEST_READ = 1 << 30


class Genome:
    """Random access to the sequences of one FASTA file. Pickles as its paths; each process opens its own handle.

    Attributes:
        name: the genome's name in the experiment.
        fasta: the file as given.
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
            self._faidx = _indexed(self.fasta, self.content)
        return self._faidx

    @property
    def lengths(self) -> dict[str, int]:
        """Bases of every sequence, in file order; a name is the first word of its header."""
        return {name: record.rlen for name, record in self._open.index.items()}

    def sequence(self, chromosome: str, start: int, end: int) -> Bytes:
        """The forward strand of [start, end), 0-based, case kept, shape (end - start,)."""
        faidx = self._open
        record = faidx.index[chromosome]
        end = min(end, record.rlen)
        if start >= end:
            return np.empty(0, np.uint8)
        return _read_lines(faidx.file.fileno(), record.offset, record.lenc, record.lenb, start, end)

    def runs_of_n(self, chromosome: str, shortest: int) -> NDArray[np.int64]:
        """Maximal runs of N or n of at least `shortest` bases, as (runs, 2) of start and end."""
        number = list(self._open.index).index(chromosome)
        runs = np.load(_runs(self.content), mmap_mode="r")
        first, last = np.searchsorted(runs[:, 0], [number, number + 1])
        mine = np.array(runs[first:last, 1:])
        return mine[mine[:, 1] - mine[:, 0] >= shortest]

    def close(self) -> None:
        """Give the file handle back; the next access opens it again."""
        if self._faidx is not None:
            self._faidx.close()
            self._faidx = None


def _read_lines(descriptor: int, offset: int, letters: int, width: int, start: int, end: int) -> Bytes:
    """The letters [start, end) of a sequence in lines of `letters` letters and `width` bytes that begins at `offset`."""
    before = start % letters
    first = offset + start // letters * width + before
    count = offset + (end - 1) // letters * width + (end - 1) % letters + 1 - first
    lines = np.empty(-(-(before + count) // width) * width, np.uint8)
    room = lines.data[before : before + count]
    read = 0
    while read < count:
        found = os.preadv(descriptor, [room[read : read + _LONGEST_READ]], first + read)
        if not found:
            raise InputError("FASTA file: ends before its index does", "remove the cache and run again")
        read += found
    return lines.reshape(-1, width)[:, :letters].reshape(-1)[before : before + end - start]


def open_genome(name: str, fasta: Path, progress: Progress) -> Genome:
    """Check, unpack if needed, and index a FASTA file.

    Raises:
        InputError: missing, empty, a cut-off gzip stream, not FASTA, uneven lines or repeated names.
    """
    if fasta.is_dir():
        raise InputError(f"{fasta}: is a directory", "name a FASTA file")
    # Workers have another working directory.
    genome = Genome(name, fasta.absolute(), contents.of_file(fasta))
    if _is_gzip(fasta) and not _unpacked(genome.content).exists():
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
            "put it where every machine reads it",
        ) from error


def _unpacked(content: str) -> Path:
    return storage.cache_directory() / "genomes" / f"{content}.fa"


def _index(content: str) -> Path:
    return storage.cache_directory() / "genomes" / f"{content}.fai"


def _runs(content: str) -> Path:
    return storage.cache_directory() / "genomes" / f"{content}.n.npy"


@contextmanager
def _lock(content: str) -> Iterator[None]:
    path = storage.cache_directory() / "genomes" / f".{content}.lock"
    storage.make_directory(path.parent)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _indexed(fasta: Path, content: str) -> Any:
    compressed = _is_gzip(fasta)
    plain = _unpacked(content) if compressed else fasta
    needed = (plain, _index(content), _runs(content))
    if not all(path.exists() for path in needed):
        with _lock(content):
            for path in (_unpacked(content), _index(content), _runs(content)):
                storage.remove_partial(path.parent, path.name)
            if not plain.exists():
                _unpack(fasta, plain)
            if not all(path.exists() for path in needed):
                _write_index(fasta, plain, content)
    with warnings.catch_warnings():
        # The index is named by content, so a file that was touched or copied since needs no new one.
        warnings.simplefilter("ignore", RuntimeWarning)
        return pyfaidx.Faidx(str(plain), indexname=str(_index(content)), rebuild=False, build_index=False)


def _unpack(fasta: Path, plain: Path) -> None:
    with storage.replacing(plain) as temporary:
        try:
            with gzip.open(fasta, "rb") as packed, temporary.open("wb") as stream:
                shutil.copyfileobj(packed, stream, _BLOCK)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{fasta}: the gzip stream is damaged or cut off", "fetch the file again") from error


def _write_index(fasta: Path, plain: Path, content: str) -> None:
    found = fasta_index.scan(plain, fasta)
    with storage.replacing(_runs(content)) as temporary, temporary.open("wb") as stream:
        np.save(stream, found.runs_of_n)
    storage.write_text(_index(content), "".join(record.line() for record in found.records))
