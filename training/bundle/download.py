"""Downloads a bundle from an address: its files are copied into the cache once, under its digest.

Only files that fit the digests are stored, so that an entry cannot hold the files of another bundle. A bundle of format
1, which has no digests, is copied into a temporary directory each time; so is any bundle if the cache cannot be
written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines import remote, storage
from pipelines.errors import BundleError, InputError, ResourceError
from training.bundle import digests
from training.bundle.digests import CONFIG, LARGEST, StoredConfig


@contextmanager
def downloaded(address: str, names: list[str]) -> Iterator[tuple[Path, str]]:
    """Give a directory with the bundle's files, which lasts as long as the context, and the address without secrets.

    Args:
        address: of the bundle.
        names: of its files next to `config.json`.

    Raises:
        BundleError: none there, not reachable, or not whole.
        DependencyError: no driver for that kind of address.
    """
    try:
        folder = remote.open_folder(address)
        content = folder.read(CONFIG, LARGEST)
    except remote.MissingError as error:
        raise BundleError(
            f"{remote.redacted(address)}: no model bundle there (no {CONFIG})",
            "correct the address, which has to name a directory RUN/bundle",
            code="missing",
        ) from error
    except InputError as error:
        raise BundleError(error.problem, error.fix) from error
    stored = digests.read(content, f"{folder.address}/{CONFIG}", names)
    if stored.digest:
        entry = storage.cache_directory() / "bundles" / stored.digest
        try:
            _fill(entry, folder, content, names, stored)
        except ResourceError:
            pass
        else:
            yield entry, folder.address
            return
    with tempfile.TemporaryDirectory(prefix="raygene-") as temporary:
        _fill(Path(temporary), folder, content, names, stored)
        yield Path(temporary), folder.address


def _fill(entry: Path, folder: remote.Folder, content: bytes, names: list[str], stored: StoredConfig) -> None:
    """Copy the files that are missing; each appears whole, and only if its bytes are the right ones."""
    for name in names:
        expected = {name: stored.files[name]} if stored.files else {}
        if expected and _holds(entry, expected):
            continue
        with storage.replacing(entry / name) as temporary:
            try:
                folder.copy(name, temporary, expected[name]["bytes"] if expected else None)
            except InputError as error:
                raise BundleError(error.problem, error.fix) from error
            if expected:
                entries = digests.entries_of_files(temporary.parent, [temporary.name], folder.address)
                if entries[temporary.name] != expected[name]:
                    raise BundleError(
                        f"{folder.address}/{name}: not the bytes that {CONFIG} names by their SHA-256", digests.RESTORE
                    )
    with storage.replacing(entry / CONFIG) as temporary:
        temporary.write_bytes(content)


def _holds(entry: Path, expected: digests.Files) -> bool:
    try:
        digests.check(entry, expected, "")
    except BundleError:
        return False
    return True
