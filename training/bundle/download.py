"""A bundle at an address elsewhere, brought here: its files are copied into the cache once, and known there by its digest.

Only what fits the digests is kept: an entry cannot hold another bundle's files. A bundle of format 1, which has none, is copied anew
each time, into a temporary directory, and so is any where the cache cannot be written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines import remote, storage
from pipelines.errors import BundleError, InputError, ResourceError
from training.bundle import digests
from training.bundle.digests import CONFIG, LARGEST, Opened


@contextmanager
def brought(address: str, names: list[str]) -> Iterator[tuple[Path, str]]:
    """Give a directory with the bundle's files, for as long as the block lasts, and the address as it may be told.

    Args:
        address: of the bundle.
        names: its files beside `config.json`.

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
            "correct the address: it names a folder RUN/bundle",
        ) from error
    except InputError as error:
        raise BundleError(error.problem, error.fix) from error
    opened = digests.read(content, f"{folder.address}/{CONFIG}", names)
    if opened.digest:
        entry = storage.cache_directory() / "bundles" / opened.digest
        try:
            _fill(entry, folder, content, names, opened)
        except ResourceError:
            pass
        else:
            yield entry, folder.address
            return
    with tempfile.TemporaryDirectory(prefix="raygene-") as temporary:
        _fill(Path(temporary), folder, content, names, opened)
        yield Path(temporary), folder.address


def _fill(entry: Path, folder: remote.Folder, content: bytes, names: list[str], opened: Opened) -> None:
    """Copy what is not there yet; each file appears whole, and only if it is the right one."""
    for name in names:
        wanted = {name: opened.files[name]} if opened.files else {}
        if wanted and _holds(entry, wanted):
            continue
        with storage.replacing(entry / name) as temporary:
            try:
                folder.copy(name, temporary, wanted[name]["bytes"] if wanted else None)
            except InputError as error:
                raise BundleError(error.problem, error.fix) from error
            if wanted:
                facts = digests.measured(temporary.parent, [temporary.name])[temporary.name]
                if facts != wanted[name]:
                    raise BundleError(
                        f"{folder.address}/{name}: not the bytes that {CONFIG} names by their SHA-256", digests.RESTORE
                    )
    with storage.replacing(entry / CONFIG) as temporary:
        temporary.write_bytes(content)


def _holds(entry: Path, wanted: digests.Files) -> bool:
    try:
        digests.check(entry, wanted, "")
    except BundleError:
        return False
    return True
