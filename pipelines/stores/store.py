"""A folder at an address in an object store: whole files are put, read, listed and deleted in it.

An object appears whole: it is there once the last byte has arrived, or not at all. Nothing is renamed. A store is
pickled as its address, and opened again by the process that reads it, so that tasks on all nodes can use it; the
credentials are each node's own, unless the address has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from pipelines import storage
from pipelines.display import format_size
from pipelines.errors import RaygeneError, UsageError
from pipelines.remote import MissingError, local_path
from pipelines.stores import causes, conditional, systems

THREADS = 16
"""Requests at a time of one process; a store answers one in some 20 to 100 ms."""
SMALL = 256 << 20
"""Bytes that a file read into memory may have."""
_BLOCK = 8 << 20
_READ_ONLY = {"http": "a web server", "https": "a web server"}
_ONE_PROCESS = {"memory"}


class StoredFile(NamedTuple):
    """A file of a store: its bytes, and what changes when it is written again, as far as the driver tells."""

    size: int
    version: str


class Store:
    """A folder at an address, for reading and writing.

    Names are paths relative to it, with slashes. Every operation raises `StorageError` (`DependencyError` where a
    driver is missing), one line without secrets that says what to do.

    Args:
        address: with a scheme. Its query says where the store is; see `systems`.

    Raises:
        UsageError: an address that nothing can be written to.
    """

    def __init__(self, address: str) -> None:
        scheme = urlsplit(address).scheme.lower()
        if what := _READ_ONLY.get(scheme):
            raise UsageError(f"{systems.shown(address)}: {what}, which takes no files", "name a local path or a bucket")
        if scheme in _ONE_PROCESS:
            raise UsageError(f"{systems.shown(address)}: exists in one process only", "name a local path or a bucket")
        if local_path(address) is not None:
            raise UsageError(f"{address}: a local path", "open it as a path")
        self.address = systems.with_environment(address)

    def __reduce__(self) -> Any:
        return Store, (self.address,)

    def __repr__(self) -> str:
        return f"Store({self.shown!r})"

    def __str__(self) -> str:
        return self.shown

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and self.address == other.address

    def __hash__(self) -> int:
        return hash(self.address)

    @cached_property
    def shown(self) -> str:
        """The address without secrets, query and slash at its end."""
        return systems.shown(self.address)

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        try:
            return systems.open_system(self.address)
        except Exception as error:
            raise causes.explained(self.shown, error) from error

    def folder(self, name: str) -> Store:
        """A folder of this one."""
        before, mark, query = self.address.partition("?")
        return Store(f"{before.rstrip('/')}/{quote(name)}{mark}{query}")

    def path(self, name: str) -> str:
        """The path of a file in the driver's file system."""
        return f"{self._opened[1]}/{name}"

    @property
    def system(self) -> Any:
        """The `pyarrow.fs.FileSystem`, for libraries that take one; `path` gives paths in it."""
        return self._opened[0]

    def list(self) -> dict[str, StoredFile]:
        """Every file in the folder and the folders in it, by name; empty if there is none."""
        from pyarrow import fs

        base = self._opened[1]
        with self._explained():
            infos = self.system.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
        # Some drivers give paths with a slash in front, some without.
        start = len(base.strip("/")) + 1
        files = (info for info in infos if info.type == fs.FileType.File)
        return {
            info.path.strip("/")[start:]: StoredFile(info.size or 0, f"{info.size}-{info.mtime_ns}") for info in files
        }

    def find(self, name: str) -> StoredFile | None:
        """One file; None if it does not exist."""
        from pyarrow import fs

        with self._explained(name):
            info = self.system.get_file_info(self.path(name))
        if info.type != fs.FileType.File:
            return None
        return StoredFile(info.size or 0, f"{info.size}-{info.mtime_ns}")

    def exists(self, name: str) -> bool:
        """Whether a file exists."""
        return self.find(name) is not None

    def read(self, name: str, max_bytes: int = SMALL) -> bytes:
        """The content of a small file.

        Raises:
            MissingError: it does not exist.
        """
        blocks: list[bytes] = []
        with self._explained(name), self.system.open_input_stream(self.path(name), compression=None) as stream:
            while block := stream.read(_BLOCK):
                blocks.append(block)
                if sum(map(len, blocks)) > max_bytes:
                    raise UsageError(f"{self.shown}/{name}: larger than {format_size(max_bytes)}", "restore it")
        return b"".join(blocks)

    def read_if_present(self, name: str) -> bytes | None:
        """The content of a small file; None if it does not exist."""
        try:
            return self.read(name)
        except MissingError:
            return None

    def read_range(self, name: str, start: int, count: int) -> bytes:
        """Some bytes of a file.

        Raises:
            MissingError: it does not exist.
        """
        with self._explained(name), self.system.open_input_file(self.path(name)) as stream:
            return bytes(stream.read_at(count, start))

    def download(self, name: str, target: Path) -> None:
        """Copy a file to a local path, where it appears whole.

        Raises:
            MissingError: it does not exist.
        """
        with (
            storage.replacing(target) as temporary,
            temporary.open("wb") as local,
            self._explained(name),
            self.system.open_input_stream(self.path(name), compression=None) as stream,
        ):
            while block := stream.read(_BLOCK):
                _write_local(local, block, target)

    def write(self, name: str, content: bytes) -> None:
        """Put a file, in place of the one of that name."""
        with self.replacing(name) as stream:
            stream.write(content)

    def create(self, name: str, content: bytes) -> bool | None:
        """Put a file unless there is one of that name.

        Returns:
            Whether it was put; None where that cannot be told in one request (`conditional`), and nothing was done.
        """
        with self._explained(name):
            self._make_folder(self.path(name))
        return conditional.create(self.address, self.path(name), content)

    def upload(self, source: Path, name: str) -> None:
        """Put a copy of a local file, in place of the one of that name."""
        with source.open("rb") as local, self.replacing(name) as stream:
            while block := local.read(_BLOCK):
                stream.write(block)

    def copy(self, source: str, target: str) -> None:
        """Copy a file within the folder, inside the store where its driver can do that."""
        with self._explained(source):
            self._make_folder(self.path(target))
            try:
                self.system.copy_file(self.path(source), self.path(target))
            except NotImplementedError:
                with (
                    self.system.open_input_stream(self.path(source), compression=None) as stream,
                    self.replacing(target) as copied,
                ):
                    while block := stream.read(_BLOCK):
                        copied.write(block)

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; one that does not exist is no error."""

        def delete(name: str) -> None:
            with suppress(MissingError), self._explained(name):
                self.system.delete_file(self.path(name))

        each(delete, list(names))

    def delete_folder(self, name: str) -> None:
        """Delete a folder of this one with everything in it; one that does not exist is no error."""
        with suppress(MissingError), self._explained(name):
            self.system.delete_dir(self.path(name))

    @contextmanager
    def _explained(self, name: str = "") -> Iterator[None]:
        shown = f"{self.shown}/{name}" if name else self.shown
        try:
            yield
        except RaygeneError:
            raise
        except Exception as error:
            if causes.is_missing(error):
                raise MissingError(f"{shown}: not there", "check the address") from error
            reason = systems.with_reason(self.system, self.path(name), error)
            raise causes.explained(shown, reason) from error

    def _make_folder(self, path: str) -> None:
        """Make the folder of a file, for drivers of fsspec: some of their folders are real ones."""
        if self.system.type_name.startswith("py::"):
            self.system.create_dir(path.rpartition("/")[0], recursive=True)

    @contextmanager
    def replacing(self, name: str) -> Iterator[Any]:
        """Yield a stream whose content becomes a file once the context ends, unless it ends by an error."""
        path = self.path(name)
        with self._explained(name):
            self._make_folder(path)
            stream = self.system.open_output_stream(path, compression=None)
        try:
            yield stream
        except BaseException:
            # Arrow's drivers give no way to abort: closing makes a file of what has arrived, or leaves the parts.
            with suppress(Exception):
                stream.close()
            with suppress(Exception):
                self.system.delete_file(path)
            conditional.abort_uploads(self.address, path)
            raise
        with self._explained(name):
            try:
                stream.close()
            except Exception:
                conditional.abort_uploads(self.address, path)
                raise


def _write_local(stream: Any, block: bytes, target: Path) -> None:
    # Not the store's fault, and it would be explained as such.
    try:
        stream.write(block)
    except OSError as error:
        raise storage.write_error(target, error) from error


def each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Call a function for each item, several at a time; the results, in their order.

    The first error is raised once the calls that have begun are done, and no further ones begin.
    """
    if len(items) <= 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise
