"""Where files are: paths and addresses (`s3://bucket/run/model`), taken apart and shown without their secrets."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pipelines.address import masked
from pipelines.errors import InputError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class MissingError(InputError):
    """A file that does not exist at its address."""

    code = "missing"


def local_path(location: Path | str) -> Path | None:
    """The path of a local file or folder, given as a path or as `file:///…`; None for any other address.

    Raises:
        InputError: a `file://` address without an absolute path.
    """
    if isinstance(location, Path) or not _ADDRESS.match(location):
        return Path(location)
    parts = _split(location)
    if parts.scheme.lower() != "file":
        return None
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InputError(f"{location}: not an absolute path", "write file:///and/the/path, or the path alone")
    return Path(unquote(parts.path))


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise InputError(f"{address}: not an address ({error})", "correct it") from error


def redacted(address: str) -> str:
    """An address that is safe to show: without user, password and query."""
    # Masked first, for a password may hold a slash.
    parts = _split(masked(address))
    return urlunsplit((parts.scheme.lower(), parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def parent_of(address: str) -> tuple[str, str]:
    """The address of the folder that a file is in, with the same query, and the file's name.

    Raises:
        InputError: the address names no file.
    """
    if not _split(address).path.strip("/"):
        raise InputError(f"{redacted(address)}: names no file", "add the path of a file")
    path, query = _without_query(address)
    parent, _, name = path.rpartition("/")
    return parent + query, name


def _without_query(address: str) -> tuple[str, str]:
    """An address without slash at its end, query and fragment, and these two."""
    path = re.split("[?#]", address, maxsplit=1)[0]
    return path.rstrip("/"), address[len(path) :]


def name_of(location: str) -> str:
    """The name of the file at a path or an address."""
    path = local_path(location)
    return path.name if path is not None else unquote(parent_of(location)[1])


def file_in(address: str, name: str) -> str:
    """The address of a file in the folder at an address, with the same query."""
    path, query = _without_query(address)
    return f"{path}/{name}{query}"
