"""A dataset at an address, read as files of this node's cache.

Its files come to a node once, those of a split when the split is first opened; each is compared with the digest that
the manifest gives. They lie under the digest of the manifest, so that another dataset at the same address is another
copy. The copies that were used longest ago go when the cache is full.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pipelines import fingerprint, remote, storage
from pipelines.dataset import manifest
from pipelines.dataset.manifest import MANIFEST, REBUILD
from pipelines.display import format_compared
from pipelines.errors import DatasetError, ResourceError
from pipelines.stores import cache_room, reading, systems
from pipelines.stores.store import Store, each
from pipelines.tokens import tokenizer_file

Location = Path | str
"""Of a dataset: a local directory, or an address."""
FOLDER = "stored-datasets"
IN_USE_S = 3600.0
"""Copies that were requested within so many seconds are not removed."""


def of_argument(text: str) -> Location:
    """The location that a user gives: an absolute path, or an address with which other nodes find the store too."""
    path = remote.local_path(text)
    return systems.with_environment(text) if path is None else path.absolute()


def local(location: Location, folders: Collection[str] | None = None) -> Path:
    """The directory of a dataset on this node: its own, or a copy in the cache of what lies at an address.

    Args:
        location: of the dataset.
        folders: the splits whose files are needed, and `LEFT_OUT` for those of the genes left out; None: all of them.
            Manifest and tokenizer are always there.

    Raises:
        DatasetError: no finished dataset at the address, or a file is not the one that its manifest lists.
        InputError, StorageError: the address cannot be reached, or the cache not written.
        ResourceError: the cache has no space for the files.
    """
    path = remote.local_path(location)
    if path is not None:
        return path.absolute()
    address = str(location)
    source = _open(address)
    document, content = _manifest(source)
    entry = storage.cache_directory() / FOLDER / fingerprint.of_value(content.decode(errors="replace"))[:32]
    wanted = [file for file in _files(document) if _is_wanted(file["path"], folders)]
    if not _is_complete(entry, wanted):
        with storage.only_writer(entry, wait=True):
            _fetch(source, entry, content, wanted)
    cache_room.use(entry)
    return entry


class _Source(Protocol):
    """A folder at an address, to be read."""

    @property
    def shown(self) -> str: ...

    def read(self, name: str, max_bytes: int) -> bytes: ...

    def download(self, name: str, target: Path) -> None: ...


class _WebFolder:
    """A folder of a web server, or of a driver that has no other use."""

    def __init__(self, address: str) -> None:
        self._folder = reading.open_folder(address)
        self.shown = self._folder.address

    def read(self, name: str, max_bytes: int) -> bytes:
        return self._folder.read(name, max_bytes)

    def download(self, name: str, target: Path) -> None:
        with storage.replacing(target) as temporary:
            self._folder.copy(name, temporary)


def _open(address: str) -> _Source:
    is_web = urlsplit(address).scheme.lower() in ("http", "https", "memory")
    return _WebFolder(address) if is_web else Store(address)


def _manifest(source: _Source) -> tuple[dict[str, Any], bytes]:
    try:
        content = source.read(MANIFEST, manifest.LARGEST)
    except remote.MissingError as error:
        raise DatasetError(
            f"{source.shown}: no finished dataset there (no {MANIFEST})",
            "correct the address, or run raygene build, which goes on where it was interrupted",
            code="missing",
        ) from error
    return manifest.parse(content, f"{source.shown}/{MANIFEST}"), content


def _files(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from document["files"]
    yield from document.get("left_out", {}).get("files", [])


def _is_wanted(path: str, folders: Collection[str] | None) -> bool:
    return folders is None or path.partition("/")[0].removeprefix("split=") in folders


def _is_complete(entry: Path, files: list[dict[str, Any]]) -> bool:
    has_head = all((entry / name).exists() for name in (MANIFEST, tokenizer_file.FILE_NAME))
    return has_head and all(_is_there(entry, file) for file in files)


def _is_there(entry: Path, file: dict[str, Any]) -> bool:
    # Only files with the right digest get there.
    with suppress(OSError):
        return (entry / file["path"]).stat().st_size == file.get("bytes", -1)
    return False


def _fetch(source: _Source, entry: Path, content: bytes, wanted: list[dict[str, Any]]) -> None:
    storage.remove_partial(entry)
    missing = [file for file in wanted if not _is_there(entry, file)]
    _make_room(entry, sum(file.get("bytes", 0) for file in missing), source)
    with storage.replacing(entry / tokenizer_file.FILE_NAME) as temporary:
        temporary.write_bytes(source.read(tokenizer_file.FILE_NAME, manifest.LARGEST))

    def fetch(file: dict[str, Any]) -> None:
        target = entry / file["path"]
        with storage.replacing(target) as temporary:
            source.download(file["path"], temporary)
            if "sha256" in file and fingerprint.of_file(temporary) != file["sha256"]:
                raise DatasetError(
                    f"{source.shown}/{file['path']}: not the bytes that {MANIFEST} names by their SHA-256",
                    REBUILD,
                    code="damaged",
                )

    each(fetch, missing)
    with storage.replacing(entry / MANIFEST) as temporary:
        temporary.write_bytes(content)


def _make_room(entry: Path, needed: int, source: _Source) -> None:
    """Remove the copies that were used longest ago until this one fits.

    Raises:
        ResourceError: it does not fit.
    """
    storage.make_directory(entry)
    folder = entry.parent
    free = cache_room.make_room(folder, needed, keep=entry, idle_s=IN_USE_S)
    if needed > free:
        required, available = format_compared(needed, max(free, 0))
        raise ResourceError(
            f"{folder}: the files of {source.shown} need {required} and {available} are free for them",
            f"free disk space, set RAYGENE_CACHE to a directory on a larger disk, or raise {cache_room.LIMIT}",
        )
