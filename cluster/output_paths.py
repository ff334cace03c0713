"""Paths of the files that a verb writes, checked before any work: local, and distinct from inputs and each other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipelines import remote
from pipelines.errors import UsageError

FlaggedPath = tuple[str, Path]
"""A flag, and the path that it gives."""


def output_file(flag: str, text: str) -> Path:
    """The path of a file to be written.

    Args:
        flag: that gives the path.
        text: its value.

    Raises:
        UsageError: an address, or a directory.
    """
    path = remote.local_path(text)
    if path is None:
        raise UsageError(f"{flag} {text}: an address, but files are written to this machine", "name a local path")
    if path.is_dir():
        raise UsageError(f"{flag} {path}: is a directory", "name a file in it")
    return path


def require_distinct(outputs: Iterable[FlaggedPath], inputs: Iterable[FlaggedPath] = ()) -> None:
    """Refuse to overwrite an input, and to write two outputs into one file.

    Args:
        outputs: every file that is written.
        inputs: every file that is read.

    Raises:
        UsageError: with both flags.
    """
    flags = {path.resolve(): flag for flag, path in inputs}
    for flag, path in outputs:
        resolved = path.resolve()
        if resolved in flags:
            raise UsageError(f"{flag}: would overwrite {path}, which is {flags[resolved]}'s", "choose another name")
        flags[resolved] = flag
