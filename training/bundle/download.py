"""Downloads a bundle from an address: its files are copied into the cache once, under its digest.

A download is bounded: by the sizes that `config.json` gives, and those by a limit (`RAYGENE_BUNDLE_GIB`).

Only files that fit the digests are stored, so that an entry cannot hold the files of another bundle. A bundle of format
1, which has no digests, is copied into a temporary directory each time; so is any bundle if the cache cannot be
written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines import environment, remote, storage
from pipelines.display import format_compared
from pipelines.errors import BundleError, InputError, ResourceError
from pipelines.stores import reading
from training.bundle import digests
from training.bundle.digests import CONFIG, LARGEST, StoredConfig

LIMIT = "RAYGENE_BUNDLE_GIB"
DEFAULT_GIB = 16.0


@contextmanager
def downloaded(address: str, names: list[str]) -> Iterator[tuple[Path, str]]:
    """Give a directory with the bundle's files, which lasts as long as the context, and the address without secrets.

    Args:
        address: of the bundle.
        names: of its files next to `config.json`.

    Raises:
        BundleError: none there, not reachable, or not whole.
        DependencyError: no driver for that kind of address.
        UsageError: the limit is not a number, or below 0.
    """
    try:
        folder = reading.open_folder(address)
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


def _fill(entry: Path, folder: reading.Folder, content: bytes, names: list[str], stored: StoredConfig) -> None:
    """Copy the files that are missing; each appears whole, and only if its bytes are the right ones."""
    limit = environment.size_limit(LIMIT, DEFAULT_GIB)
    declared = sum(max(entry["bytes"], 0) for entry in (stored.files or {}).values())
    if declared > limit:
        total, largest = format_compared(declared, limit)
        raise BundleError(
            f"{folder.address}: its files have {total}, more than the {largest} that a download may have",
            f"set {LIMIT} to a larger number of GiB, if they are right",
            code="too-large",
        )
    for name in names:
        expected = {name: stored.files[name]} if stored.files else {}
        if expected and _holds(entry, expected):
            continue
        with storage.replacing(entry / name) as temporary:
            try:
                folder.copy(name, temporary, expected[name]["bytes"] if expected else limit)
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
