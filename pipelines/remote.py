"""Files in a folder at an address such as `s3://bucket/models/run`, read through whichever driver is installed.

Arrow's own drivers serve s3, gs, abfs and hdfs; fsspec's serve the rest (https, memory, hf …), most of them through a
package of their own. Nothing is written there, and no address is shown with a password or a query in it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pipelines.address import masked
from pipelines.errors import DependencyError, InputError, one_line

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_HDFS = {"hdfs", "viewfs"}
_ARROW = {"s3", "gs", "gcs", "abfs", "abfss"} | _HDFS
_BLOCK = 1 << 20
# Seconds that a web server may take to accept a connection, and to send the next bytes.
CONNECT_S, SILENCE_S = 20.0, 60.0
# From this many seconds on, a file has to arrive at this many bytes a second on average.
SLOW_AFTER_S, SLOWEST = 60.0, 1_000
MAX_REDIRECTS = 5
# Bytes of a file for which nothing smaller is said.
LARGEST = 16 << 30
# Google's driver retries for a quarter of an hour by default.
_RETRY_LIMIT = "retry_limit_seconds=20"

OpenFile = Callable[[str], AbstractContextManager[Any]]
GetVersion = Callable[[str], str | None]


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
        get_version: tells the version of a file of the folder by its name.
    """

    address: str
    open_file: OpenFile
    get_version: GetVersion

    def version(self, name: str) -> str | None:
        """What changes whenever a file does: its ETag, or else its size and time of change; None if neither is known.

        Raises:
            MissingError: it does not exist.
            InputError: it cannot be reached.
            DependencyError: the driver needs a package that is not installed.
        """
        try:
            return self.get_version(name)
        except InputError:
            raise
        except Exception as error:
            raise self._read_error(name, error) from error

    def read(self, name: str, max_bytes: int) -> bytes:
        """The content of a small file.

        Raises:
            MissingError: it does not exist.
            InputError: it has more than `max_bytes` bytes, or cannot be reached.
            DependencyError: the driver needs a package that is not installed.
        """
        blocks: list[bytes] = []
        self.stream(name, max_bytes, blocks.append)
        return b"".join(blocks)

    def copy(self, name: str, target: Path, max_bytes: int = LARGEST) -> None:
        """Copy a file to a local path.

        Raises:
            OSError: the local file cannot be written.
            MissingError, InputError, DependencyError: as for `read`.
        """
        with target.open("wb") as stream:
            self.stream(name, max_bytes, stream.write)

    def stream(self, name: str, max_bytes: int, write: Callable[[bytes], Any]) -> None:
        """Hand every block of a file to a function, in order.

        Raises:
            MissingError, InputError, DependencyError: as for `read`.
        """
        size, began = 0, time.monotonic()
        try:
            stream = self.open_file(name)
        except InputError:
            raise
        except Exception as error:
            raise self._read_error(name, error) from error
        with stream as source:
            self._require_size(name, getattr(source, "announced_bytes", None) or 0, max_bytes)
            while True:
                try:
                    block = bytes(source.read(_BLOCK))
                except Exception as error:
                    raise self._read_error(name, error) from error
                if not block:
                    return
                size += len(block)
                self._require_size(name, size, max_bytes)
                seconds = time.monotonic() - began
                if seconds > SLOW_AFTER_S and size < SLOWEST * seconds:
                    raise InputError(
                        f"{self.address}/{name}: only {size:,} bytes came in {seconds:.0f} s",
                        "try again later, or copy the files to a local folder by other means",
                    )
                write(block)

    def _require_size(self, name: str, size: int, max_bytes: int) -> None:
        if size > max_bytes:
            raise InputError(f"{self.address}/{name}: larger than the {max_bytes:,} bytes it may have", "restore it")

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
            return Folder(display, *_open_on_web(address))
        if scheme in _ARROW:
            return Folder(display, *_open_with_arrow(address))
        if not _fsspec_knows(scheme):
            raise DependencyError(f"{display}: no driver for {scheme}://", "copy the files to a local folder")
        return Folder(display, *_open_with_fsspec(address))
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


def _open_with_arrow(address: str) -> tuple[OpenFile, GetVersion]:
    from pyarrow import fs

    if address.startswith(("gs:", "gcs:")) and "retry_limit_seconds" not in address:
        address += ("&" if "?" in address else "?") + _RETRY_LIMIT
    system, path = fs.FileSystem.from_uri(address)

    def open_file(name: str) -> Any:
        return system.open_input_stream(f"{path.rstrip('/')}/{name}", compression=None)

    def version(name: str) -> str | None:
        with open_file(name) as stream:
            metadata = {key.lower(): value for key, value in (stream.metadata() or {}).items()}
        if tag := metadata.get(b"etag"):
            return tag.decode()
        status = system.get_file_info(f"{path.rstrip('/')}/{name}")
        return None if status.mtime_ns is None else f"{status.size} {status.mtime_ns}"

    return open_file, version


def _fsspec_knows(scheme: str) -> bool:
    """Whether fsspec has, or knows where to import, a driver for a scheme."""
    from fsspec.registry import known_implementations, registry

    return scheme in registry or scheme in known_implementations


def _open_with_fsspec(address: str) -> tuple[OpenFile, GetVersion]:
    import fsspec

    system, path = fsspec.core.url_to_fs(address)

    def version(name: str) -> str | None:
        status = system.info(f"{path.rstrip('/')}/{name}")
        known = (status.get(key) for key in ("ETag", "etag", "mtime", "LastModified", "updated", "created"))
        changed = next((value for value in known if value), None)
        return None if changed is None else f"{status.get('size')} {changed}"

    return lambda name: system.open(f"{path.rstrip('/')}/{name}", "rb"), version


class _WebFile:
    """A file from a web server, while it arrives.

    Attributes:
        announced_bytes: its size according to the server; None if that does not say.
        version: its ETag, or else its size and time of change; None if the server does not say.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        # Of a compressed answer it would be the compressed size.
        is_plain = stream.r.headers.get("Content-Encoding", "identity") == "identity"
        self.announced_bytes: int | None = stream.r.content_length if is_plain else None
        changed = stream.r.headers.get("Last-Modified")
        dated = f"{self.announced_bytes} {changed}" if changed and self.announced_bytes is not None else None
        self.version: str | None = stream.r.headers.get("ETag") or dated

    def read(self, size: int) -> bytes:
        return self._stream.read(size)

    def __enter__(self) -> _WebFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _open_on_web(address: str) -> tuple[OpenFile, GetVersion]:
    import aiohttp
    import fsspec

    parts = urlsplit(address)
    # No limit to the total: large files take their time.
    limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
    system = fsspec.filesystem(parts.scheme.lower(), client_kwargs={"timeout": limits})

    def open_file(name: str) -> Any:
        url = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment=""))
        shown = f"{redacted(address)}/{name}"
        try:
            # A size keeps fsspec from asking for it first, in a request of its own.
            stream = system.open(url, "rb", block_size=0, size=1, max_redirects=MAX_REDIRECTS)
        except aiohttp.TooManyRedirects as error:
            raise InputError(f"{shown}: redirected more than {MAX_REDIRECTS} times", "correct the address") from error
        except (aiohttp.NonHttpUrlClientError, aiohttp.InvalidURL) as error:
            raise InputError(f"{shown}: redirected to what is no web address", "correct the address") from error
        hops = [*stream.r.history, stream.r]
        if parts.scheme.lower() == "https" and any(hop.url.scheme != "https" for hop in hops):
            stream.close()
            raise InputError(f"{shown}: redirected from https to http", "correct the address")
        return _WebFile(stream)

    def version(name: str) -> str | None:
        with open_file(name) as file:
            return file.version

    return open_file, version
