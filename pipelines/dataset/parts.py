"""The Parquet files of a dataset as its manifest lists them, checked, and read one row group at a time.

A row group has at most 2^20 tokens, or one row; reading needs the memory of one row group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import fingerprint, os_errors
from pipelines.dataset.manifest import REBUILD as REBUILD
from pipelines.dataset.manifest import classes
from pipelines.errors import DatasetError, InputError
from pipelines.inputs import contents


@dataclass(frozen=True)
class Part:
    """A Parquet file with rows of one split.

    Attributes:
        path: the file.
        sha256: of its bytes, from the manifest, or from the file itself if the manifest has none.
        rows, tokens: how many it has according to the manifest; None if that does not say.
        labels: number of different labels that its rows may have, from 0 on.
    """

    path: Path
    sha256: str
    rows: int | None = None
    tokens: int | None = None
    labels: int = 2

    def verify(self) -> None:
        """Compare the SHA-256 of the file with the manifest's. Reads the whole file, at 1.5 GB/s.

        Raises:
            DatasetError: the file is missing, damaged, or another one.
        """
        try:
            sha256 = fingerprint.of_file(self.path)
        except InputError as error:
            raise DatasetError(error.problem, REBUILD) from error
        if sha256 != self.sha256:
            raise DatasetError(
                f"{self.path}: SHA-256 {sha256[:12]} is not the manifest's {self.sha256[:12]}; the file is damaged or "
                "was replaced",
                REBUILD,
            )

    @contextmanager
    def verified(self) -> Iterator[None]:
        """As `verify`, and at the end of the context check that what was read in it is what was hashed.

        Raises:
            DatasetError: as `verify`, or the file was changed within the context.
        """
        before = self._status()
        self.verify()
        yield
        if self._status() != before:
            raise DatasetError(f"{self.path}: changed while it was read", "run again once nothing writes it")

    def _status(self) -> tuple[int, ...]:
        try:
            status = self.path.stat()
        except OSError as error:
            raise unreadable(self.path, error) from error
        return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of all rows.

        Raises:
            DatasetError: the file is missing or damaged.
        """
        try:
            return pq.ParquetFile(self.path).read([name])[name]
        except (OSError, pa.ArrowException, KeyError) as error:
            raise unreadable(self.path, error) from error

    def row_groups(self, names: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All columns, or those of these names, one row group at a time.

        Raises:
            DatasetError: the file is missing or damaged.
        """
        try:
            with pq.ParquetFile(self.path) as file:
                for number in range(file.num_row_groups):
                    yield file.read_row_group(number, columns=names)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error

    def row_group(self, number: int, names: Sequence[str]) -> pa.Table:
        """Columns of one row group, decoded by this thread alone.

        Raises:
            DatasetError: the file is missing or damaged.
        """
        try:
            with pq.ParquetFile(self.path) as file:
                return file.read_row_group(number, columns=list(names), use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error


def of_split(directory: Path, manifest: dict[str, Any], split: str) -> list[Part]:
    """The files of a split in the manifest's order, after checking that they exist and have the size it gives.

    Raises:
        DatasetError: the split has no files, or one is missing or of another size.
    """
    files = [file for file in manifest["files"] if file["path"].startswith(f"split={split}/")]
    if not files:
        raise DatasetError(
            f"{directory}: split {split} has no rows", "change the split section and build again", code="empty-split"
        )
    labels = len(classes(manifest)) or 2
    return [replace(part, labels=labels) for part in of_files(directory, files)]


def of_files(directory: Path, files: Sequence[dict[str, Any]]) -> list[Part]:
    """The files that a manifest lists, after checking that they exist and have the size it gives.

    Raises:
        DatasetError: one is missing, not inside the dataset, or of another size.
    """
    parts, root = [], directory.resolve()
    for file in files:
        path = directory / file["path"]
        try:
            target = path.resolve(strict=True)
            if not target.is_relative_to(root) or not target.is_file():
                raise DatasetError(
                    f"{path}: not a file inside the dataset", "put the file itself there, or " + REBUILD, code="damaged"
                )
            size = path.stat().st_size
            content = file.get("sha256") or contents.of_file(path)
        except (OSError, InputError) as error:
            raise unreadable(path, error) from error
        if size != file.get("bytes", size):
            raise DatasetError(f"{path}: {size} bytes long, not the manifest's {file['bytes']}", REBUILD)
        parts.append(Part(path, content, file.get("rows"), file.get("tokens")))
    return parts


def unreadable(path: Path, error: Exception) -> DatasetError:
    """The error for a file of a dataset that cannot be read."""
    # An InputError says what the operating system refused; a missing or damaged file is to be built again.
    system = error.__cause__ if isinstance(error, InputError) and error.__cause__ else error
    return DatasetError(
        f"{path}: cannot be read ({os_errors.cause(system)[:120]})", os_errors.read_fix(system, REBUILD)
    )
