"""Reading a finished token dataset: its manifest, and rows by number.

A split is decoded once a machine, into files that all processes map and share; opening it again takes milliseconds, and
access in any order is free.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import fingerprint, schema
from pipelines.dataset import columns, parts, split_cache
from pipelines.errors import DatasetError, InputError, ResourceError
from pipelines.tokens.tokenizer import Tokenizer

MANIFEST = "manifest.json"
_log = logging.getLogger(__name__)


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
    leakage = manifest.get("leakage")
    if leakage and "judged" in leakage:
        # The name of this key in datasets of earlier versions.
        leakage["evaluated"] = leakage.pop("judged")
    return manifest


def is_whole(directory: Path, manifest: dict[str, Any]) -> bool:
    """Whether every file is there with the bytes the manifest tells of; reads all of them, over 1 GB/s."""
    try:
        if Tokenizer.load(directory).fingerprint != manifest["tokenizer"]["fingerprint"]:
            return False
        files = [*manifest["files"], *manifest.get("left_out", {}).get("files", [])]
        paths = [(directory / file["path"], file) for file in files]
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
        note: why this process holds a copy of its own instead of sharing the machine's; None: it shares, or was made of arrays.
    """

    manifest: dict[str, Any]
    tokenizer: Tokenizer
    split: str
    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int8]
    table: pa.Table

    note: str | None = field(default=None, init=False, repr=False, compare=False)
    _opened_from: Path | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, directory: Path | str, split: str, fingerprint: str | None = None) -> TokenDataset:
        """Open one split of a finished dataset; its arrays are views of files that all processes of this machine share.

        Where the cache (`RAYGENE_CACHE`) cannot hold them, this process reads its own copy; a warning and `note` tell why.

        Args:
            directory: of the dataset.
            split: train, validation or test.
            fingerprint: of the dataset that was opened before, if it must still be the same.

        Raises:
            DatasetError: not a finished dataset, another one than expected, an unknown or empty split, a missing or damaged
                file.
        """
        directory = Path(directory).absolute()
        manifest = read_manifest(directory)
        if fingerprint not in (None, manifest["fingerprint"]):
            raise DatasetError(
                f"{directory}: the dataset was replaced since it was first opened (fingerprint "
                f"{manifest['fingerprint'][:12]}, not {fingerprint[:12]})",
                "start again with the new one, or bring the old one back",
            )
        if split not in schema.SPLITS:
            raise DatasetError(f"{directory}: no split {split!r}", f"choose one of {', '.join(schema.SPLITS)}")
        tokenizer = Tokenizer.load(directory)
        if tokenizer.fingerprint != manifest["tokenizer"]["fingerprint"]:
            raise DatasetError(
                f"{directory}: tokenizer.json is not the one the dataset was built with", "build it again"
            )
        files = parts.of_split(directory, manifest, split)
        note = None
        try:
            found = split_cache.columns(manifest["fingerprint"], files, split)
        except ResourceError as error:
            note = f"{error}; until then every process reads its own copy of split {split}"
            _log.warning(note)
            found = columns.in_memory(files, split)
        opened = cls(manifest, tokenizer, split, found.tokens, found.offsets, found.labels, found.table)
        object.__setattr__(opened, "note", note)
        object.__setattr__(opened, "_opened_from", directory)
        return opened

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A copy in another process opens the same files, or fails; a dataset made of arrays takes them along."""
        if self._opened_from is None:
            return super().__reduce_ex__(protocol)
        return TokenDataset.open, (self._opened_from, self.split, self.manifest["fingerprint"])

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, shape (rows,), computed once."""
        found = np.diff(self.offsets)
        found.flags.writeable = False
        return found

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[NDArray[Any], int]:
        """Token ids, shape (tokens of the row,), and label of a row."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        return self.tokens[self.offsets[row] : self.offsets[row + 1]], int(self.labels[row])
