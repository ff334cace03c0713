"""Where a dataset is built: a local directory, or a folder of a store.

A local one is built in a hidden sibling and swapped in. In a store nothing is renamed: tasks fill a hidden folder in
that of the dataset, the store copies their files to their places once all are there, and the manifest is put last. The
manifest of an earlier dataset is deleted before any of its files is replaced, so that no reader takes a mixture for a
dataset.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipelines import fingerprint, schema, storage
from pipelines.dataset import manifest
from pipelines.dataset.manifest import LEFT_OUT, MANIFEST, read_manifest, sealed_text
from pipelines.dataset.token_dataset import is_whole
from pipelines.errors import DatasetError, ResourceError
from pipelines.progress import Progress
from pipelines.stores import lease
from pipelines.stores.lease import Lease
from pipelines.stores.staging import RECORDS, Staging
from pipelines.stores.store import Store, each
from pipelines.tokens import tokenizer_file
from pipelines.tokens.tokenizer import Tokenizer

_PART = re.compile(r"part-\d+\.parquet")
_BUILDING = ".building-"


class Target(Protocol):
    """Where a dataset is built; every method but `check` and `hold` is called within the context of `hold`."""

    @property
    def disk(self) -> Path | None:
        """A path on the disk that the whole dataset has to fit on; None where it is not on a disk of this machine."""

    def check(self) -> None:
        """Refuse a place that can take no dataset; no lock is taken and nothing is written.

        Raises:
            DatasetError: what is there is not a dataset alone.
            StorageError: it cannot be written.
        """

    def hold(self) -> Any:
        """A context in which no other process writes there.

        Raises:
            BusyError: another one does.
            DatasetError: what is there is not a dataset alone.
            StorageError: it cannot be written.
        """

    def existing(self, expected_fingerprint: str, progress: Progress) -> dict[str, Any] | None:
        """The manifest of an undamaged dataset with this fingerprint; None where there is none."""

    def staging(self, expected_fingerprint: str) -> Staging:
        """What the tasks of this dataset fill; what is left of other builds is removed."""

    def discard(self, staging: Staging) -> None:
        """Remove what tasks have filled."""

    def commit(self, staging: Staging, document: dict[str, Any], tokenizer: Tokenizer) -> dict[str, Any]:
        """Make a dataset of what tasks have filled, and return its manifest."""


def target(output: Path | Store) -> Target:
    """Where a dataset is built, by its path or store."""
    if isinstance(output, Store):
        return StoredTarget(output)
    # Unlike Path.resolve, it leaves a circle of links as it is; `check` refuses that by name.
    return LocalTarget(Path(os.path.realpath(output)))


@dataclass(frozen=True)
class LocalTarget:
    """A local directory.

    Attributes:
        path: absolute.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def disk(self) -> Path:
        return self.path

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.check()
        with storage.only_writer(self.path):
            storage.recover(self.path)
            yield

    def check(self) -> None:
        output = self.path
        if output.is_file():
            raise DatasetError(f"{output}: is a file", "choose a directory for --output")
        if output.is_dir() and any(output.iterdir()):
            if not (output / MANIFEST).exists():
                raise _foreign(self)
            try:
                read_manifest(output)
            except DatasetError as error:
                # A damaged dataset is built again; a directory that may be something else is left alone.
                if error.code != "damaged" or not any(output.glob("split=*/")):
                    raise
            names = {path.name if path.is_file() else f"{path.name}/" for path in output.iterdir()}
            names |= {f"{path.parent.name}/{path.name}" for path in output.glob("*/*")}
            _require_known(self, names)
        storage.require_creatable(output)

    def existing(self, expected_fingerprint: str, progress: Progress) -> dict[str, Any] | None:
        if not (self.path / MANIFEST).exists():
            return None
        try:
            document = read_manifest(self.path)
        except DatasetError as error:
            progress.note(f"{error.problem}; it is built again")
            return None
        if document["fingerprint"] != expected_fingerprint:
            return None
        if not is_whole(self.path, document):
            progress.note(f"{self.path}: a file is missing or damaged; it is built again")
            return None
        return document

    def staging(self, expected_fingerprint: str) -> Staging:
        staging = storage.staging_directory(self.path, expected_fingerprint)
        for leftover in self.path.parent.glob(f".{self.path.name}{_BUILDING}*"):
            if leftover != staging:
                shutil.rmtree(leftover, ignore_errors=True)
        return Staging(staging)

    def discard(self, staging: Staging) -> None:
        shutil.rmtree(staging.path, ignore_errors=True)

    def commit(self, staging: Staging, document: dict[str, Any], tokenizer: Tokenizer) -> dict[str, Any]:
        tokenizer.save(staging.path)
        shutil.rmtree(staging.path / RECORDS)
        storage.remove_partial(staging.path)
        storage.write_text(staging.path / MANIFEST, sealed_text(document))
        storage.swap_in(staging.path, self.path)
        return read_manifest(self.path)


@dataclass
class StoredTarget:
    """A folder of a store."""

    store: Store
    _lease: list[Lease] = field(default_factory=list)

    def __str__(self) -> str:
        return str(self.store)

    @property
    def disk(self) -> None:
        return None

    @contextmanager
    def hold(self) -> Iterator[None]:
        # Nothing is put where another program's files are, not even a lease.
        self.check()
        with lease.hold(self.store) as held:
            self._lease = [held]
            yield

    def check(self) -> None:
        names = set(self.store.list()) - {lease.NAME}
        own = {name for name in names if name.startswith(_BUILDING)}
        if names and MANIFEST not in names and not own:
            raise _foreign(self)
        if MANIFEST in names:
            try:
                self._manifest()
            except DatasetError as error:
                if error.code != "damaged" or not any(name.startswith("split=") for name in names):
                    raise
        _require_known(self, names - own)

    def _manifest(self) -> dict[str, Any]:
        return manifest.parse(self.store.read(MANIFEST, manifest.LARGEST), f"{self.store}/{MANIFEST}")

    def existing(self, expected_fingerprint: str, progress: Progress) -> dict[str, Any] | None:
        if not self.store.exists(MANIFEST):
            return None
        try:
            document = self._manifest()
        except DatasetError as error:
            progress.note(f"{error.problem}; it is built again")
            return None
        if document["fingerprint"] != expected_fingerprint:
            return None
        # Nothing is downloaded: a store does not lose bytes, and readers compare the digests.
        stored = self.store.list()
        sizes = {name: file.size for name, file in stored.items()}
        if tokenizer_file.FILE_NAME not in stored or any(sizes.get(name) != size for name, size in _files(document)):
            progress.note(f"{self.store}: a file is missing or damaged; it is built again")
            return None
        return document

    def staging(self, expected_fingerprint: str) -> Staging:
        folder = f"{_BUILDING}{expected_fingerprint[:12]}"
        for leftover in {name.partition("/")[0] for name in self.store.list()}:
            if leftover.startswith(_BUILDING) and leftover != folder:
                self.store.delete_folder(leftover)
        name = fingerprint.of_value([str(self.store), expected_fingerprint])[:24]
        return Staging(storage.cache_directory() / "staging" / name, self.store.folder(folder))

    def discard(self, staging: Staging) -> None:
        shutil.rmtree(staging.path, ignore_errors=True)
        if staging.store is not None:
            self.store.delete_folder(_folder_name(staging.store))

    def commit(self, staging: Staging, document: dict[str, Any], tokenizer: Tokenizer) -> dict[str, Any]:
        assert staging.store is not None
        folder, files = _folder_name(staging.store), dict(_files(document))
        ready = staging.store.list()
        if lacking := [name for name, size in files.items() if name not in ready or ready[name].size != size]:
            raise ResourceError(f"{staging.store}/{lacking[0]}: was written, and is not there", "run the build again")
        (held,) = self._lease
        held.check()
        self.store.delete([MANIFEST])
        each(lambda name: self.store.copy(f"{folder}/{name}", name), list(files))
        self.store.write(tokenizer_file.FILE_NAME, tokenizer.text.encode())
        held.check()
        self.store.write(MANIFEST, sealed_text(document).encode())
        keep = {*files, tokenizer_file.FILE_NAME, MANIFEST, lease.NAME}
        self.store.delete(name for name in self.store.list() if name not in keep and not name.startswith(_BUILDING))
        self.discard(staging)
        return self._manifest()


def _folder_name(store: Store) -> str:
    return store.shown.rpartition("/")[2]


def _files(document: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The path and size of every file that a manifest lists."""
    for file in (*document["files"], *document.get(LEFT_OUT.strip("_"), {}).get("files", [])):
        yield file["path"], file.get("bytes", -1)


def _foreign(where: Target) -> DatasetError:
    return DatasetError(f"{where}: holds files that are not a raygene dataset", "choose another --output, or empty it")


def _require_known(where: Target, names: set[str]) -> None:
    """Refuse to replace a dataset that somebody has put other files into.

    Args:
        where: the dataset.
        names: paths relative to it; those of folders may end in a slash.
    """
    folders = {LEFT_OUT, *(f"split={name}" for name in schema.SPLITS)}
    for name in sorted(names):
        folder, _, file = name.partition("/")
        is_known = folder in folders and (not file or _PART.fullmatch(file))
        if not is_known and name not in (MANIFEST, tokenizer_file.FILE_NAME):
            raise DatasetError(
                f"{where}: holds {name.rstrip('/')}, which a rebuild would remove", "move it out of the dataset"
            )
