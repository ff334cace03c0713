"""Which files this node can read and which directories it can write; nothing it writes is left behind."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

from pipelines import remote
from pipelines.errors import InputError, RaygeneError, one_line
from pipelines.stores import reading
from training.bundle.digests import CONFIG

NO_SIZE = -1
UNWRITABLE = (OSError, ValueError)
"""What is raised where no file can be written."""


def try_reading(inputs: Iterable[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Bytes of each input that can be read (-1: not told), and the reason for each that cannot."""
    sizes, reasons = dict[str, int](), dict[str, str]()
    for path in inputs:
        try:
            sizes[path] = size_of(path)
        except (OSError, ValueError) as error:
            reasons[path] = _reason(error)
        except RaygeneError as error:
            reasons[path] = error.problem
    return sizes, reasons


def size_of(path: str) -> int:
    """Bytes of a file, the first of which has been read; -1 for a directory, and for a file at an address.

    Raises:
        OSError: it cannot be read.
        RaygeneError: nothing is at an address, or it cannot be reached.
    """
    if "://" in path:
        _require_file_or_bundle(path)
        return NO_SIZE
    local = Path(path)
    if local.is_dir():
        next(local.iterdir(), None)
        return NO_SIZE
    with local.open("rb") as stream:
        stream.read(1)
    return local.stat().st_size


def _require_file_or_bundle(address: str) -> None:
    try:
        parent, name = remote.parent_of(address)
        reading.open_folder(parent).version(name)
    except InputError:
        # A folder has no version. What a key names there is a bundle.
        try:
            reading.open_folder(address).version(CONFIG)
        except remote.MissingError as missing:
            raise InputError(f"{remote.redacted(address)}: no such file or bundle", "correct the address") from missing


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or one_line(error, 200) or type(error).__name__


def try_writing(directory: str) -> str:
    """Why no file can be written into a directory, or its nearest existing parent; empty if one can."""
    try:
        probe = probe_path(directory)
        write_probe(probe)
        remove_probe(probe)
    except UNWRITABLE as error:
        return _reason(error)
    return ""


def probe_path(directory: str) -> str:
    """A path for a new file in a directory, or in the nearest parent that exists."""
    name = f".raygene-doctor-{uuid.uuid4().hex}"
    return str(next(path for path in (Path(directory), *Path(directory).parents) if path.exists()) / name)


def write_probe(probe: str) -> None:
    """Write a small file.

    Raises:
        UNWRITABLE: it cannot be written.
    """
    Path(probe).write_text("raygene", encoding="utf-8")


def remove_probe(probe: str) -> None:
    """Remove what `write_probe` wrote; raises the same errors."""
    Path(probe).unlink()


def exists(probe: str) -> bool:
    """Whether this node sees a file that another has written."""
    try:
        return Path(probe).exists()
    except UNWRITABLE:
        return False
