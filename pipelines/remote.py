"""Files of a folder named by an address such as `s3://bucket/models/run`, through whichever driver is installed.

Arrow's own drivers serve s3, gs, abfs and hdfs; fsspec's serve the rest (https, memory, hf …), most of them through a package of
their own. Nothing is written there, and no address is shown with a password or a query in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pipelines.errors import DependencyError, InputError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ARROW = {"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"}
_BLOCK = 1 << 20
# Google's driver tries for a quarter of an hour unless told otherwise.
_PATIENCE = "retry_limit_seconds=20"
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@|\?[^\s'\")]+")


class MissingError(InputError):
    """A file that is not at its address."""


def local(place: Path | str) -> Path | None:
    """The path of a local file or folder, given as such or as `file:///…`; None for any other address.

    Raises:
        InputError: a `file://` address without an absolute path.
    """
    if isinstance(place, Path) or not _ADDRESS.match(place):
        return Path(place)
    parts = _split(place)
    if parts.scheme.lower() != "file":
        return None
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise InputError(f"{place}: not an absolute path", "write file:///and/the/path, or the path alone")
    return Path(unquote(parts.path))


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise InputError(f"{_CREDENTIALS.sub('', address)}: not an address ({error})", "correct it") from error


def shown(address: str) -> str:
    """An address as it may be told: without user, password and query."""
    parts = _split(address)
    return urlunsplit((parts.scheme.lower(), parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


@dataclass(frozen=True)
class Folder:
    """A folder elsewhere.

    Attributes:
        shown: its address as it may be told.
        opened: gives a file's stream by its name.
    """

    shown: str
    opened: Callable[[str], AbstractContextManager[IO[bytes]]]

    def read(self, name: str, largest: int) -> bytes:
        """A small file's content.

        Raises:
            MissingError: it is not there.
            InputError: it is larger than `largest` bytes, or the place cannot be reached.
            DependencyError: the driver lacks a package.
        """
        parts: list[bytes] = []
        self._pass(name, largest, parts.append)
        return b"".join(parts)

    def copy(self, name: str, to: Path, largest: int | None = None) -> None:
        """Copy a file to a local path. Raises as `read` does, and what writing raises."""
        with to.open("wb") as stream:
            self._pass(name, largest, stream.write)

    def _pass(self, name: str, largest: int | None, take: Callable[[bytes], Any]) -> None:
        size = 0
        try:
            stream = self.opened(name)
        except Exception as error:
            raise self._untold(name, error) from error
        with stream as source:
            while True:
                try:
                    block = bytes(source.read(_BLOCK))
                except Exception as error:
                    raise self._untold(name, error) from error
                if not block:
                    return
                size += len(block)
                if largest is not None and size > largest:
                    raise InputError(
                        f"{self.shown}/{name}: larger than the {largest:,} bytes it may have", "restore it"
                    )
                take(block)

    def _untold(self, name: str, error: Exception) -> InputError | DependencyError:
        """The error for whatever a driver raises; each has classes of its own."""
        if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            return MissingError(f"{self.shown}: no {name} there", "correct the address")
        return _failed(self.shown, error)


def _failed(told: str, error: Exception) -> InputError | DependencyError:
    reason = _CREDENTIALS.sub("", " ".join(str(error).split()))[:200] or type(error).__name__
    if isinstance(error, ImportError) or "Unable to load lib" in reason:
        return DependencyError(f"{told}: no driver for it here ({reason})", "install it, or copy the files here")
    return InputError(
        f"{told}: cannot be reached ({reason})", "check the address, the network and your credentials for it"
    )


def folder(address: str) -> Folder:
    """The folder at an address.

    Args:
        address: with a scheme; a query (`?endpoint_override=…`) is the driver's, or belongs to every file (https).

    Raises:
        DependencyError: no driver for that scheme.
        InputError: an address that the driver does not accept, or credentials it does not find.
    """
    told, scheme = shown(address), urlsplit(address).scheme.lower()
    try:
        if scheme in ("http", "https"):
            return Folder(told, _web(address))
        return Folder(told, _arrow(address) if scheme in _ARROW else _fsspec(address))
    except Exception as error:
        if isinstance(error, ValueError) and "not known" in str(error):
            raise DependencyError(
                f"{told}: no driver for {scheme}:// here", "copy the files to a local folder"
            ) from error
        raise _failed(told, error) from error


def _arrow(address: str) -> Callable[[str], AbstractContextManager[IO[bytes]]]:
    from pyarrow import fs

    if address.startswith(("gs:", "gcs:")) and "retry_limit_seconds" not in address:
        address += ("&" if "?" in address else "?") + _PATIENCE
    system, path = fs.FileSystem.from_uri(address)
    return lambda name: system.open_input_stream(f"{path.rstrip('/')}/{name}", compression=None)


def _fsspec(address: str) -> Callable[[str], AbstractContextManager[IO[bytes]]]:
    import fsspec

    system, path = fsspec.core.url_to_fs(address)
    return lambda name: system.open(f"{path.rstrip('/')}/{name}", "rb")


def _web(address: str) -> Callable[[str], AbstractContextManager[IO[bytes]]]:
    import fsspec

    parts = urlsplit(address)
    system = fsspec.filesystem(parts.scheme.lower())

    def opened(name: str) -> AbstractContextManager[IO[bytes]]:
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment=""))
        try:
            return system.open(url, "rb", block_size=0)
        except FileNotFoundError as error:
            # Raised for a server that does not answer or refuses, too.
            cause = error.__cause__
            if cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) == 404:
                raise
            raise cause from None

    return opened
