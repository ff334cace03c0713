"""What the cache holds of a FASTA file: its plain copy if it is compressed, its index, and its runs of N.

Everything is named by the SHA-256 of the FASTA file, and a record next to it, written last, has the SHA-256 of each
part. Parts are compared with the record whenever a genome is opened; damaged ones are made anew. Files appear by rename
and are written under a lock, so concurrent processes see the same ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines import storage
from pipelines.documents import sealed_json
from pipelines.errors import InputError
from pipelines.genome.fasta import index as fasta_index
from pipelines.genome.fasta.index import Record
from pipelines.inputs import compression, contents, foreign

BLOCK = 1 << 22
_FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """Paths of the parts of one FASTA file.

    Attributes:
        content: SHA-256 of the FASTA file.
    """

    content: str

    @cached_property
    def base(self) -> Path:
        """The path of all parts, without their endings."""
        return storage.cache_directory() / "genomes" / self.content

    @property
    def plain(self) -> Path:
        """The plain copy of a compressed file."""
        return self.base.with_name(f"{self.content}.fa")

    @property
    def index(self) -> Path:
        """The index."""
        return self.base.with_name(f"{self.content}.fai")

    @property
    def runs_of_n(self) -> Path:
        """The runs of N."""
        return self.base.with_name(f"{self.content}.n.npy")

    @property
    def record(self) -> Path:
        """The record."""
        return self.base.with_name(f"{self.content}.json")


@dataclass(frozen=True)
class Parts:
    """The record of an entry.

    Attributes:
        plain: SHA-256 of the plain copy; empty if the FASTA file is plain.
        index: SHA-256 of the index.
        runs_of_n: SHA-256 of the runs of N.
    """

    plain: str
    index: str
    runs_of_n: str


@dataclass
class OpenGenome:
    """An open FASTA file with its index; what is read from it is checked against its SHA-256.

    Attributes:
        stream: the plain file.
        path: its path.
        content: its SHA-256.
        machine: where that was taken.
        status: the status with which the file has that SHA-256.
        index: name to record of every sequence, in file order.
        runs_path: the runs of N.
        runs_content: their SHA-256.
    """

    stream: io.BufferedReader
    path: Path
    content: str
    machine: str
    status: contents.Status
    index: dict[str, Record]
    runs_path: Path
    runs_content: str

    @cached_property
    def lengths(self) -> dict[str, int]:
        """Name to length in bases of every sequence, in file order."""
        return {name: record.length for name, record in self.index.items()}

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Name to position in the file of every sequence."""
        return {name: number for number, name in enumerate(self.index)}

    @cached_property
    def runs_of_n(self) -> NDArray[np.int64]:
        """Number of the sequence, start and end of every run of N, shape (runs, 3)."""
        data = self.runs_path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self.runs_content:
            raise contents.changed(self.runs_path)
        runs: NDArray[np.int64] = np.load(io.BytesIO(data))
        return runs

    def is_unchanged(self) -> bool:
        """Whether no write fell between the last two checks; if the file was touched, it is hashed again.

        What was read before a False must be read again.

        Raises:
            InputError: the file is another one.
        """
        if contents.status_of(self.stream.fileno()) == self.status:
            return True
        self.status = contents.require(self.stream, self.path, self.content, self.machine)
        return False


def open_genome(fasta: Path, content: str, machine: str, note: Callable[[str], None] | None = None) -> OpenGenome:
    """Open a FASTA file with its index, after making whatever the cache of this machine lacks.

    Args:
        fasta: the file, plain or compressed.
        content: its SHA-256.
        machine: where that was taken.
        note: called with a line about unpacking, and about each part that is made anew.

    Raises:
        InputError: missing, changed, damaged or no FASTA.
        StorageError: the cache cannot be written.
    """
    entry = Entry(content)
    parts = _whole_parts(entry)
    if parts is None:
        with storage.only_writer(entry.base, wait=True):
            parts = _whole_parts(entry, note) or _make(entry, fasta, machine, note)
    path, expected = (entry.plain, parts.plain) if parts.plain else (fasta, content)
    stream = _open_original(path)
    status = contents.require(stream, path, expected, machine)
    index = entry.index.read_bytes()
    if hashlib.sha256(index).hexdigest() != parts.index:
        raise contents.changed(entry.index)
    records = {record.name: record for record in fasta_index.parse(index.decode("utf-8"))}
    return OpenGenome(stream, path, expected, machine, status, records, entry.runs_of_n, parts.runs_of_n)


def _open_original(path: Path) -> io.BufferedReader:
    try:
        return contents.open_regular(path)
    except InputError as error:
        raise InputError(
            f"{error.problem} (on machine {platform.node()})", "put it where every machine can read it"
        ) from error


def _whole_parts(entry: Entry, note: Callable[[str], None] | None = None) -> Parts | None:
    """The record of an entry whose parts are all there and have their SHA-256; else None."""
    try:
        document = json.loads(entry.record.read_text(encoding="utf-8"))
        parts = Parts(document["plain"], document["index"], document["runs_of_n"])
        is_sealed = document == sealed_json.sealed(_document(entry, parts))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        is_sealed = False
    damaged = None if is_sealed else entry.record
    if is_sealed:
        damaged = next((path for path, content in _expected(entry, parts).items() if not _has(path, content)), None)
    if damaged is None:
        return parts
    if note is not None:
        note(f"{damaged}: damaged or missing; it is made anew")
    return None


def _expected(entry: Entry, parts: Parts) -> dict[Path, str]:
    """SHA-256 of every part."""
    expected = {entry.index: parts.index, entry.runs_of_n: parts.runs_of_n}
    return expected | ({entry.plain: parts.plain} if parts.plain else {})


def _has(path: Path, content: str) -> bool:
    try:
        return contents.of_file(path) == content
    except InputError:
        return False


def _document(entry: Entry, parts: Parts) -> dict[str, Any]:
    return {"format": _FORMAT, "content": entry.content, **vars(parts)}


def _make(entry: Entry, fasta: Path, machine: str, note: Callable[[str], None] | None) -> Parts:
    """Unpack a FASTA file if it is compressed, index it, and write the record."""
    for path in (entry.plain, entry.index, entry.runs_of_n, entry.record):
        storage.remove_partial(path.parent, path.name)
    with _open_original(fasta) as original:
        if compression.kind_of(original.read(64)) is None:
            plain = ""
            status = contents.require(original, fasta, entry.content, machine)
            index = _scan(original, fasta)
            if contents.status_of(original.fileno()) != status:
                raise contents.changed(fasta)
        else:
            if note is not None:
                note(f"unpacking {fasta.name} once into {storage.cache_directory()}")
            original.seek(0)
            plain, index = _unpack(entry, original, fasta, machine)
    runs, lines = io.BytesIO(), "".join(record.line() for record in index.records).encode()
    np.save(runs, index.runs_of_n)
    parts = Parts(plain, _write(entry.index, lines), _write(entry.runs_of_n, runs.getvalue()))
    document = sealed_json.sealed(_document(entry, parts))
    storage.write_text(entry.record, json.dumps(document, indent=1, sort_keys=True) + "\n")
    for path, content in _expected(entry, parts).items():
        contents.remember(path, content)
    return parts


def _scan(stream: io.BufferedReader, fasta: Path) -> fasta_index.Index:
    stream.seek(0)
    foreign.require_text(stream.read(foreign.HEAD), fasta)
    return fasta_index.scan(stream.fileno(), fasta)


def _write(path: Path, data: bytes) -> str:
    with storage.replacing(path) as temporary:
        temporary.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


class _Hashed(io.RawIOBase):
    """Bytes of a file, hashed as they are read."""

    def __init__(self, source: io.BufferedReader) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)


def _unpack(entry: Entry, original: io.BufferedReader, fasta: Path, machine: str) -> tuple[str, fasta_index.Index]:
    """Write the plain copy of a compressed file, if it is FASTA; return its SHA-256 and its index."""
    packed, plain = _Hashed(original), hashlib.sha256()
    buffered = io.BufferedReader(packed, BLOCK)
    with storage.replacing(entry.plain) as temporary, temporary.open("w+b") as copy:
        try:
            with compression.decompressed(buffered, fasta) as stream:
                # Refuses what is no FASTA before the rest of it fills the disk.
                fasta_index.first_header(stream.peek(BLOCK), fasta)
                while block := stream.read(BLOCK):
                    storage.require_room(temporary.parent, f"unpacking {fasta}")
                    plain.update(block)
                    copy.write(block)
        except InputError:
            _require_content(packed, entry, fasta, machine)
            raise
        _require_content(packed, entry, fasta, machine)
        copy.flush()
        index = fasta_index.scan(copy.fileno(), fasta)
    return plain.hexdigest(), index


def _require_content(packed: _Hashed, entry: Entry, fasta: Path, machine: str) -> None:
    """Refuse a compressed file that was not read as it was hashed; the rest of it is read."""
    while packed.read(BLOCK):
        pass
    if packed.digest.hexdigest() != entry.content:
        raise contents.changed(fasta, machine)
