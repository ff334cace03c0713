"""Input files at addresses, copied once into the cache of the node that reads them.

A copy is kept under its SHA-256. It is used again for as long as the store gives the file the same version (its ETag,
or else its size and time of change). Within a process an address stands for one copy, so that all of its readers see
the same bytes. Another node makes its own copy, and refuses one with another SHA-256. Copies that were not used for a
day make room for others where there are more bytes than `cache_room` allows.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipelines import fingerprint, remote, storage
from pipelines.address import masked
from pipelines.config.section import Section
from pipelines.documents import sealed_json
from pipelines.errors import InputError
from pipelines.inputs import contents
from pipelines.stores import cache_room, copy_names, reading, systems

MAX_BYTES = 200 << 30
"""Bytes of the largest download: no genome has more; the largest known, of Tmesipteris, has 160 Gb."""
TRIES = 3
FOLDER = "downloads"
_RECORD = "record.json"
_LOOK = 0.05
_SectionT = TypeVar("_SectionT", bound=Section)
Note = Callable[[str], None]


@dataclass(frozen=True)
class Origin:
    """The file of which this process has a copy; another node makes its own by it.

    Attributes:
        address: of the file, with its query, in which the place of the store is in full.
        content: SHA-256 of its bytes.
    """

    address: str
    content: str

    def local(self) -> Path:
        """The path of the copy on this node.

        Raises:
            InputError: the file cannot be reached, or has other bytes by now.
            StorageError: the cache cannot be written.
        """
        path = _copy_path(self.address, self.content)
        if _copies.get(self.address) == (path, self.content):
            return path
        if not _has(path, self.content):
            path, content = _fetch(self.address, None)
            if content != self.content:
                raise InputError(
                    f"{remote.redacted(self.address)}: changed while it was read",
                    "run the same command again",
                    code="changed",
                )
        _remember(self.address, path, self.content)
        return path


# The copy of each address that this process has read, and its SHA-256; and the other way round.
_copies: dict[str, tuple[Path, str]] = {}
_origins: dict[Path, Origin] = {}


def local(location: str | Path, note: Note | None = None) -> Path:
    """The path of an input file on this node: its own, or that of a copy if it is at an address.

    Args:
        location: a path or an address.
        note: called with a line about a download.

    Raises:
        InputError: the address is wrong, nothing is there, or it cannot be reached.
        DependencyError: no driver for that kind of address.
        StorageError: the cache cannot be written.
    """
    if (path := remote.local_path(location)) is not None:
        return path
    address = systems.with_environment(str(location))
    if address not in _copies:
        _remember(address, *_fetch(address, note))
    return _copies[address][0]


def _remember(address: str, path: Path, content: str) -> None:
    cache_room.use(_folder(address))
    _copies[address] = (path, content)
    _origins[path] = Origin(address, content)
    copy_names.remember(path, remote.redacted(address))


def fetched(section: _SectionT, note: Note | None = None) -> _SectionT:
    """A section of the configuration in which every address of an input file is the path of its copy.

    Raises:
        InputError, DependencyError, StorageError: as for `local`.
    """
    changed = {
        name: str(local(value, note))
        for name, field in type(section).model_fields.items()
        if isinstance(field.json_schema_extra, dict)
        and field.json_schema_extra.get("path")
        and isinstance(value := getattr(section, name), str)
        and remote.local_path(value) is None
    }
    return section.model_copy(update=changed) if changed else section


def origin_of(path: Path) -> Origin | None:
    """The file of which a path is the copy; None for any other file."""
    return _origins.get(path)


def _folder(address: str) -> Path:
    return storage.cache_directory() / FOLDER / fingerprint.of_value(masked(address))[:24]


def _copy_path(address: str, content: str) -> Path:
    # Named as the file, whose name is that of a collection of sequences, and whose ending tells its format.
    return _folder(address) / content[:16] / remote.name_of(address).replace("/", "_").replace("\0", "_")


def _has(path: Path, content: str) -> bool:
    with suppress(InputError):
        return contents.of_file(path) == content
    return False


def _fetch(address: str, note: Note | None) -> tuple[Path, str]:
    """Copy a file unless the copy is there already; return its path and SHA-256."""
    shown = remote.redacted(address)
    parent, name = remote.parent_of(address)
    source, folder = reading.open_folder(parent), _folder(address)
    try:
        with storage.only_writer(folder, wait=True):
            for _ in range(TRIES):
                version = source.version(name)
                if version is not None and (content := _recorded(folder, version)):
                    path = _copy_path(address, content)
                    if _has(path, content):
                        return path, content
                if note is not None:
                    note(f"downloading {shown} once into {storage.cache_directory()}")
                path, content = _download(source, name, address, folder)
                if version is None:
                    return path, content
                if source.version(name) == version:
                    _record(folder, version, content)
                    return path, content
    except remote.MissingError as error:
        raise remote.MissingError(f"{shown}: no such file", "correct the address") from error
    raise InputError(f"{shown}: changes all the time", "copy it to a local file, and name that", code="changed")


def _download(source: reading.Folder, name: str, address: str, folder: Path) -> tuple[Path, str]:
    digest = hashlib.sha256()
    storage.make_directory(folder)
    _make_room(folder)
    with storage.replacing(folder / "copy") as temporary, temporary.open("wb") as stream:

        def write(block: bytes) -> None:
            storage.require_room(folder, f"downloading {remote.redacted(address)}")
            digest.update(block)
            stream.write(block)

        source.stream(name, MAX_BYTES, write)
        stream.flush()
    content = digest.hexdigest()
    path = _copy_path(address, content)
    for other in folder.iterdir():
        if other.is_dir() and other != path.parent:
            shutil.rmtree(other, ignore_errors=True)
    storage.make_directory(path.parent)
    try:
        (folder / "copy").replace(path)
    except OSError as error:
        raise storage.write_error(path, error) from error
    contents.remember(path, content)
    global _copied
    _copied += path.stat().st_size
    return path, content


_copied = math.inf
"""Bytes since there was room for more: each look at the cache costs as much as there is in it."""


def _make_room(folder: Path) -> None:
    """Remove the copies that were used longest ago where there are too many."""
    global _copied
    if _copied > cache_room.limit_bytes() * _LOOK:
        cache_room.make_room(folder.parent, storage.RESERVE, keep=folder)
        _copied = 0.0


def _recorded(folder: Path, version: str) -> str | None:
    """The SHA-256 of the copy that was made of a version; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        document = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        body = {"version": document["version"], "content": document["content"]}
        if document == sealed_json.sealed(body) and document["version"] == version:
            return str(document["content"])
    return None


def _record(folder: Path, version: str, content: str) -> None:
    document = sealed_json.sealed({"version": version, "content": content})
    storage.write_text(folder / _RECORD, json.dumps(document, indent=1, sort_keys=True) + "\n")
