"""Where a verb writes, held against what it reads and against each other before any work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipelines import remote
from pipelines.errors import UsageError

Named = tuple[str, Path]


def written(flag: str, text: str) -> Path:
    """The file that a flag names, to be written.

    Raises:
        UsageError: an address, or a folder.
    """
    path = remote.local_path(text)
    if path is None:
        raise UsageError(f"{flag} {text}: an address, but files are written to this machine", "name a local path")
    if path.is_dir():
        raise UsageError(f"{flag} {path}: is a folder", "name a file in it")
    return path


def require_apart(outputs: Iterable[Named], inputs: Iterable[Named] = ()) -> None:
    """Refuse to write over an input, or two outputs into one file.

    Args:
        outputs: flag and path of every file that is written.
        inputs: flag and path of every file that is read.

    Raises:
        UsageError: with both flags.
    """
    taken = {path.resolve(): flag for flag, path in inputs}
    for flag, path in outputs:
        place = path.resolve()
        if place in taken:
            raise UsageError(f"{flag}: would overwrite {path}, which is {taken[place]}'s", "choose another name")
        taken[place] = flag
