"""Reading a finished token dataset: its manifest, and rows by number.

Opening a split reads its token ids into memory once (two or four bytes a token); access in any order is then free.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines import fingerprint, schema
from pipelines.errors import DatasetError, InputError
from pipelines.tokenizer import Tokenizer

MANIFEST = "manifest.json"


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a finished dataset.

    Raises:
        DatasetError: missing (never built, or not finished), damaged, or of another format version.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(
            f"{directory}: no finished dataset there (no {MANIFEST})", "run raygene build first"
        ) from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read ({error})", "build the dataset again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != "raygene-dataset":
        raise DatasetError(f"{path}: not the manifest of a raygene dataset", "name a directory made by raygene build")
    version = manifest.get("format_version")
    if version != schema.FORMAT_VERSION:
        raise DatasetError(
            f"{path}: dataset format {version} is not the known {schema.FORMAT_VERSION}",
            "build it again with this raygene",
        )
    return manifest


def is_whole(directory: Path, manifest: dict[str, Any]) -> bool:
    """Whether every file is there with the bytes the manifest tells of; reads all of them, over 1 GB/s."""
    try:
        if Tokenizer.load(directory).fingerprint != manifest["tokenizer"]["fingerprint"]:
            return False
        paths = [(directory / file["path"], file) for file in manifest["files"]]
        if any(path.stat().st_size != file["bytes"] for path, file in paths):
            return False
        return all(fingerprint.of_file(path) == file["sha256"] for path, file in paths)
    except (OSError, DatasetError, InputError):
        return False


@dataclass(frozen=True)
class TokenDataset:
    """Random access to the rows of one split; a map-style dataset in the sense of torch.

    Attributes:
        manifest: the dataset's manifest.
        tokenizer: the tokenizer its ids belong to.
        split: train, validation or test.
        tokens: all token ids end to end, shape (tokens,), uint16 or uint32.
        offsets: where each row starts in `tokens`, shape (rows + 1,), int64.
        labels: 1 gene, 0 negative, shape (rows,), int8.
        table: the other columns of the rows (interval columns, gc, unknown and soft-masked share).
    """

    manifest: dict[str, Any]
    tokenizer: Tokenizer
    split: str
    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int8]
    table: pa.Table

    @classmethod
    def open(cls, directory: Path, split: str) -> TokenDataset:
        """Read one split of a finished dataset.

        Raises:
            DatasetError: not a finished dataset, an unknown or empty split, a missing or damaged file.
        """
        manifest = read_manifest(directory)
        if split not in schema.SPLITS:
            raise DatasetError(f"{directory}: no split {split!r}", f"choose one of {', '.join(schema.SPLITS)}")
        tokenizer = Tokenizer.load(directory)
        if tokenizer.fingerprint != manifest["tokenizer"]["fingerprint"]:
            raise DatasetError(
                f"{directory}: tokenizer.json is not the one the dataset was built with", "build it again"
            )
        names = [file["path"] for file in manifest["files"] if file["path"].startswith(f"split={split}/")]
        tables = [_read(directory / name) for name in names]
        if not tables:
            raise DatasetError(f"{directory}: split {split} has no rows", "change the split section and build again")
        lists = [chunk for table in tables for chunk in table["tokens"].chunks]
        counts = np.concatenate([table["token_count"].to_numpy() for table in tables]).astype(np.int64)
        table = pa.concat_tables([table.drop_columns(["tokens"]) for table in tables])
        table = table.append_column("split", pa.array([split] * len(table), pa.string()))
        return cls(
            manifest=manifest,
            tokenizer=tokenizer,
            split=split,
            tokens=np.concatenate([chunk.flatten().to_numpy() for chunk in lists]),
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            labels=table["label"].to_numpy(),
            table=table,
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, shape (rows,)."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[NDArray[Any], int]:
        """Token ids, shape (tokens of the row,), and label of a row."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.tokens[self.offsets[row] : self.offsets[row + 1]], int(self.labels[row])


def _read(path: Path) -> pa.Table:
    try:
        return pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:120]
        raise DatasetError(f"{path}: cannot be read ({reason})", "build the dataset again") from error
