"""Files in a folder at an address such as `s3://bucket/models/run`, read through whichever driver is installed.

`systems` opens those of object stores, `web` those of web servers, and fsspec the rest (memory, hf …), most of them
through a package of their own. Nothing is written there, and no address is shown with a password or a query in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines.display import format_size
from pipelines.errors import DependencyError, InputError, RaygeneError, one_line
from pipelines.remote import MissingError, redacted
from pipelines.stores import causes, systems, web

_BLOCK = 1 << 20
# From this many seconds on, a file has to arrive at this many bytes a second on average.
SLOW_AFTER_S, SLOWEST = 60.0, 1_000
# Bytes of a file for which nothing smaller is said.
LARGEST = 16 << 30

OpenFile = Callable[[str], AbstractContextManager[Any]]
GetVersion = Callable[[str], str | None]


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

    def copy(self, name: str, target: Path, max_bytes: float = LARGEST) -> None:
        """Copy a file to a local path.

        Raises:
            OSError: the local file cannot be written.
            MissingError, InputError, DependencyError: as for `read`.
        """
        with target.open("wb") as stream:
            self.stream(name, max_bytes, stream.write)

    def stream(self, name: str, max_bytes: float, write: Callable[[bytes], Any]) -> None:
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
                        f"{self.address}/{name}: only {format_size(size)} came in {seconds:.0f} s",
                        "try again later, or copy the files to a local folder by other means",
                    )
                write(block)

    def _require_size(self, name: str, size: int, max_bytes: float) -> None:
        if size > max_bytes:
            raise InputError(
                f"{self.address}/{name}: larger than the {format_size(max_bytes)} it may have", "restore it"
            )

    def _read_error(self, name: str, error: Exception) -> RaygeneError:
        """The error for whatever a driver raises; every driver has exception classes of its own."""
        if causes.is_missing(error):
            return MissingError(f"{self.address}: no {name} there", "correct the address")
        return _unreachable(self.address, error)


def _unreachable(address: str, error: Exception) -> RaygeneError:
    if isinstance(error, RaygeneError):
        return error
    reason = one_line(error, 200) or type(error).__name__
    if isinstance(error, ImportError):
        return DependencyError(
            f"{address}: no driver for it is installed ({reason})", "install it, or copy the files to a local folder"
        )
    # What a web server answers says enough, and it has no buckets.
    if not web.serves(address) and (known := causes.known(address, error)):
        return InputError(known.problem, known.fix, code=known.code)
    return InputError(
        f"{address}: cannot be reached ({reason})", "check the address, the network and your credentials for it"
    )


def open_folder(address: str) -> Folder:
    """The folder at an address.

    Args:
        address: with a scheme. Its query says where a store is (`systems`), or belongs to every file (https).

    Raises:
        DependencyError: no driver for that scheme is installed.
        InputError: the driver does not accept the address, or finds no credentials.
        UsageError: no bucket, or a query that the driver does not know.
    """
    display, scheme = redacted(address), urlsplit(address).scheme.lower()
    try:
        if web.serves(address):
            return Folder(display, *web.opened(address))
        if systems.is_of_arrow(scheme):
            return Folder(display, *_open_with_arrow(address))
        if not _fsspec_knows(scheme):
            raise DependencyError(f"{display}: no driver for {scheme}://", "copy the files to a local folder")
        return Folder(display, *_open_with_fsspec(address))
    except RaygeneError:
        raise
    except Exception as error:
        if scheme in systems.HDFS:
            # Arrow raises the same exception for a missing library and for a name node that does not answer.
            reason = one_line(error, 200)
            raise DependencyError(
                f"{display}: cannot be opened ({reason})",
                "check the address and that Java and Hadoop's libhdfs are installed",
            ) from error
        raise _unreachable(display, error) from error


def _open_with_arrow(address: str) -> tuple[OpenFile, GetVersion]:
    system, path = systems.open_system(systems.with_environment(address))

    def open_file(name: str) -> Any:
        try:
            return system.open_input_stream(f"{path}/{name}", compression=None)
        except OSError as error:
            raise systems.with_reason(system, f"{path}/{name}", error) from error

    def version(name: str) -> str | None:
        with open_file(name) as stream:
            metadata = {key.lower(): value for key, value in (stream.metadata() or {}).items()}
        if tag := metadata.get(b"etag"):
            return tag.decode()
        status = system.get_file_info(f"{path}/{name}")
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
