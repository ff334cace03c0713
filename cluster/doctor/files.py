"""Which files this machine reads and where it writes; nothing stays but what was there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NO_SIZE = -1
UNWRITABLE = (OSError, ValueError, NotImplementedError)
"""What Arrow raises for a place that takes no file; the last for an address of a kind that it was built without."""


def reading(inputs: Iterable[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Bytes of each input that can be read (-1 of a folder), and why each other cannot."""
    read, unread = dict[str, int](), dict[str, str]()
    for place in inputs:
        try:
            read[place] = size_of(place)
        except (OSError, ValueError) as error:
            unread[place] = _reason(error)
    return read, unread


def size_of(place: str) -> int:
    """Bytes of a file after reading its first; -1 of a folder.

    Raises:
        OSError: it cannot be read.
        ValueError: an address: bundles may lie at one, but no input of an experiment.
    """
    if "://" in place:
        raise ValueError("an address, where raygene reads files only")
    local = Path(place)
    if local.is_dir():
        next(local.iterdir(), None)
        return NO_SIZE
    with local.open("rb") as stream:
        stream.read(1)
    return local.stat().st_size


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__


def _system(address: str) -> tuple[Any, str]:
    from pyarrow import fs

    return fs.FileSystem.from_uri(address)


def writing(place: str) -> str:
    """Why nothing can be written into a folder; empty if it can. Of what is missing of it the nearest parent is tried."""
    try:
        probe = probe_in(place)
        keep(probe)
        remove(probe)
    except UNWRITABLE as error:
        return _reason(error)
    return ""


def probe_in(place: str) -> str:
    """A name for a file in a folder, or in the nearest parent that is there."""
    name = f".raygene-doctor-{uuid.uuid4().hex}"
    if "://" in place:
        return f"{place.rstrip('/')}/{name}"
    return str(next(one for one in (Path(place), *Path(place).parents) if one.exists()) / name)


def keep(probe: str) -> None:
    """Write a small file.

    Raises:
        UNWRITABLE: it cannot be written.
    """
    if "://" in probe:
        system, path = _system(probe)
        with system.open_output_stream(path) as stream:
            stream.write(b"raygene")
    else:
        Path(probe).write_text("raygene", encoding="utf-8")


def remove(probe: str) -> None:
    """Remove what `keep` wrote. Raises as it does."""
    if "://" in probe:
        system, path = _system(probe)
        system.delete_file(path)
    else:
        Path(probe).unlink()


def is_seen(probe: str) -> bool:
    """Whether a file that another machine wrote is there."""
    try:
        if "://" in probe:
            system, path = _system(probe)
            return bool(system.get_file_info(path).type.name != "NotFound")
        return Path(probe).exists()
    except UNWRITABLE:
        return False
