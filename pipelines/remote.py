"""Files in a folder at an address such as `s3://bucket/models/run`, read through whichever driver is installed.

Arrow's own drivers serve s3, gs, abfs and hdfs; fsspec's serve the rest (https, memory, hf …), most of them through a
package of their own. Nothing is written there, and no address is shown with a password or a query in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pipelines.address import masked
from pipelines.errors import DependencyError, InputError, one_line

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_HDFS = {"hdfs", "viewfs"}
_ARROW = {"s3", "gs", "gcs", "abfs", "abfss"} | _HDFS
_BLOCK = 1 << 20
# Google's driver retries for a quarter of an hour by default.
_RETRY_LIMIT = "retry_limit_seconds=20"

OpenFile = Callable[[str], AbstractContextManager[IO[bytes]]]


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


@dataclass(frozen=True)
class Folder:
    """A folder at an address.

    Attributes:
        address: its redacted address.
        open_file: opens a file of the folder by its name.
    """

    address: str
    open_file: OpenFile

    def read(self, name: str, max_bytes: int) -> bytes:
        """The content of a small file.

        Raises:
            MissingError: it does not exist.
            InputError: it has more than `max_bytes` bytes, or cannot be reached.
            DependencyError: the driver needs a package that is not installed.
        """
        blocks: list[bytes] = []
        self._stream(name, max_bytes, blocks.append)
        return b"".join(blocks)

    def copy(self, name: str, target: Path, max_bytes: int | None = None) -> None:
        """Copy a file to a local path.

        Raises:
            OSError: the local file cannot be written.
            MissingError, InputError, DependencyError: as for `read`.
        """
        with target.open("wb") as stream:
            self._stream(name, max_bytes, stream.write)

    def _stream(self, name: str, max_bytes: int | None, write: Callable[[bytes], Any]) -> None:
        size = 0
        try:
            stream = self.open_file(name)
        except Exception as error:
            raise self._read_error(name, error) from error
        with stream as source:
            while True:
                try:
                    block = bytes(source.read(_BLOCK))
                except Exception as error:
                    raise self._read_error(name, error) from error
                if not block:
                    return
                size += len(block)
                if max_bytes is not None and size > max_bytes:
                    raise InputError(
                        f"{self.address}/{name}: larger than the {max_bytes:,} bytes it may have", "restore it"
                    )
                write(block)

    def _read_error(self, name: str, error: Exception) -> InputError | DependencyError:
        """The error for whatever a driver raises; every driver has exception classes of its own."""
        if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            return MissingError(f"{self.address}: no {name} there", "correct the address")
        return _unreachable(self.address, error)


def _unreachable(address: str, error: Exception) -> InputError | DependencyError:
    reason = one_line(error, 200) or type(error).__name__
    if isinstance(error, ImportError):
        return DependencyError(
            f"{address}: no driver for it is installed ({reason})", "install it, or copy the files to a local folder"
        )
    return InputError(
        f"{address}: cannot be reached ({reason})", "check the address, the network and your credentials for it"
    )


def open_folder(address: str) -> Folder:
    """The folder at an address.

    Args:
        address: with a scheme. A query (`?endpoint_override=…`) is the driver's, or belongs to every file (https).

    Raises:
        DependencyError: no driver for that scheme is installed.
        InputError: the driver does not accept the address, or finds no credentials.
    """
    display, scheme = redacted(address), urlsplit(address).scheme.lower()
    try:
        if scheme in ("http", "https"):
            return Folder(display, _open_on_web(address))
        if scheme in _ARROW:
            return Folder(display, _open_with_arrow(address))
        if not _fsspec_knows(scheme):
            raise DependencyError(f"{display}: no driver for {scheme}://", "copy the files to a local folder")
        return Folder(display, _open_with_fsspec(address))
    except DependencyError:
        raise
    except Exception as error:
        if scheme in _HDFS:
            # Arrow raises the same exception for a missing library and for a name node that does not answer.
            reason = one_line(error, 200)
            raise DependencyError(
                f"{display}: cannot be opened ({reason})",
                "check the address and that Java and Hadoop's libhdfs are installed",
            ) from error
        raise _unreachable(display, error) from error


def _open_with_arrow(address: str) -> OpenFile:
    from pyarrow import fs

    if address.startswith(("gs:", "gcs:")) and "retry_limit_seconds" not in address:
        address += ("&" if "?" in address else "?") + _RETRY_LIMIT
    system, path = fs.FileSystem.from_uri(address)
    return lambda name: system.open_input_stream(f"{path.rstrip('/')}/{name}", compression=None)


def _fsspec_knows(scheme: str) -> bool:
    """Whether fsspec has, or knows where to import, a driver for a scheme."""
    from fsspec.registry import known_implementations, registry

    return scheme in registry or scheme in known_implementations


def _open_with_fsspec(address: str) -> OpenFile:
    import fsspec

    system, path = fsspec.core.url_to_fs(address)
    return lambda name: system.open(f"{path.rstrip('/')}/{name}", "rb")


def _open_on_web(address: str) -> OpenFile:
    import fsspec

    parts = urlsplit(address)
    system = fsspec.filesystem(parts.scheme.lower())

    def open_file(name: str) -> AbstractContextManager[IO[bytes]]:
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment=""))
        try:
            return system.open(url, "rb", block_size=0)
        except FileNotFoundError as error:
            # fsspec raises it for a server that does not answer or refuses, too.
            cause = error.__cause__
            if cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) == 404:
                raise
            raise cause from None

    return open_file
