"""The Parquet files of one split, as the manifest lists them: whether they are there, and their rows a row group at a time.

A row group holds at most 2^20 tokens, or one row: reading takes the memory of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import fingerprint
from pipelines.errors import DatasetError, InputError
from pipelines.genome import contents

REBUILD = "build the dataset again"


@dataclass(frozen=True)
class Part:
    """A file of rows.

    Attributes:
        path: where it is.
        sha256: of its bytes, by the manifest; by the file itself where the manifest does not tell.
    """

    path: Path
    sha256: str

    def verify(self) -> None:
        """Read the whole file (1.5 GB/s).

        Raises:
            DatasetError: it is not the file that the manifest tells of.
        """
        try:
            found = fingerprint.of_file(self.path)
        except InputError as error:
            raise DatasetError(error.problem, REBUILD) from error
        if found != self.sha256:
            raise DatasetError(
                f"{self.path}: SHA-256 {found[:12]} is not the manifest's {self.sha256[:12]}; the file is damaged or was "
                "replaced",
                REBUILD,
            )

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of all rows.

        Raises:
            DatasetError: the file is missing or damaged.
        """
        try:
            return pq.ParquetFile(self.path).read([name])[name]
        except (OSError, pa.ArrowException, KeyError) as error:
            raise _unreadable(self.path, error) from error

    def row_groups(self) -> Iterator[pa.Table]:
        """All columns, a row group at a time.

        Raises:
            DatasetError: the file is missing or damaged.
        """
        try:
            with pq.ParquetFile(self.path) as file:
                for number in range(file.num_row_groups):
                    yield file.read_row_group(number)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from error


def of_split(directory: Path, manifest: dict[str, Any], split: str) -> list[Part]:
    """The files of a split in their order, each of them there and as long as the manifest tells.

    Raises:
        DatasetError: the split has no files, or one is missing or of another length.
    """
    files = [file for file in manifest["files"] if file["path"].startswith(f"split={split}/")]
    if not files:
        raise no_rows(directory, split)
    return of_files(directory, files)


def of_files(directory: Path, files: Sequence[dict[str, Any]]) -> list[Part]:
    """Files of a manifest, each of them there and as long as it tells.

    Raises:
        DatasetError: one is missing or of another length.
    """
    found = []
    for file in files:
        path = directory / file["path"]
        try:
            size = path.stat().st_size
            content = file.get("sha256") or contents.of_file(path)
        except (OSError, InputError) as error:
            raise _unreadable(path, error) from error
        if size != file.get("bytes", size):
            raise DatasetError(f"{path}: {size} bytes long, not the manifest's {file['bytes']}", REBUILD)
        found.append(Part(path, content))
    return found


def no_rows(directory: Path, split: str) -> DatasetError:
    """The error for a split that is empty."""
    return DatasetError(f"{directory}: split {split} has no rows", "change the split section and build again")


def _unreadable(path: Path, error: Exception) -> DatasetError:
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:120]
    return DatasetError(f"{path}: cannot be read ({reason})", REBUILD)
