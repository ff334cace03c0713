"""Splits of token datasets kept on this machine as uncompressed Arrow files, which every process maps into its memory.

The first process to open a split writes its files (Parquet is decoded once a machine, a row group in memory at a time) while
others wait; then all share one copy of the pages, and rows in any order cost nothing. An entry is named by content: the
dataset's fingerprint and the SHA-256 of its files. It appears by rename, once its bytes are on disk.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import fingerprint, schema, storage
from pipelines.dataset import arrow_column
from pipelines.dataset.columns import Columns, flat_tokens, others
from pipelines.dataset.parts import REBUILD, Part
from pipelines.errors import DatasetError, ResourceError, UsageError

LIMIT = "RAYGENE_CACHE_GIB"
DEFAULT_GIB = 100.0
FORMAT = 1
TOKENS, OFFSETS, LABELS, TABLE = "tokens.arrow", "offsets.arrow", "labels.arrow", "table.arrow"
# Beside token ids: offset and label, and the interval's columns with room for names.
_BYTES_A_ROW = 250
_NAME = rf"(?:{'|'.join(schema.SPLITS)})-[0-9a-f]{{16}}"
_ENTRY, _HIDDEN = re.compile(_NAME), re.compile(rf"\.({_NAME})\.")


def columns(dataset: str, parts: Sequence[Part], split: str) -> Columns:
    """The columns of a split, mapped; written first where this machine has not kept them.

    Args:
        dataset: fingerprint of the dataset.
        parts: its files of that split.
        split: their partition.

    Raises:
        DatasetError: a file is missing, damaged, or not the one that the manifest tells of.
        ResourceError: the cache cannot be written, or the disk is full.
    """
    key = fingerprint.of_value([FORMAT, split, [part.sha256 for part in parts]])
    entry = storage.cache_directory() / "datasets" / dataset / f"{split}-{key[:16]}"
    found = _mapped(entry)
    if found is None:
        with storage.only_writer(entry, wait=True):
            found = _mapped(entry) or _written(entry, parts, split)
    # The time of last use decides what is dropped; a cache that is only readable keeps none.
    with suppress(OSError):
        os.utime(entry)
    return found


def _mapped(entry: Path) -> Columns | None:
    """What an entry holds; None where it is missing, cut off or does not fit together."""
    try:
        with pa.ipc.open_file(pa.memory_map(str(entry / TABLE))) as reader:
            table = reader.read_all()
        tokens, offsets, labels = (arrow_column.read(entry / name) for name in (TOKENS, OFFSETS, LABELS))
    except (OSError, ValueError, pa.ArrowException):
        return None
    whole = len(offsets) == len(labels) + 1 == len(table) + 1 and offsets[0] == 0 and offsets[-1] == len(tokens)
    return Columns(tokens, offsets, labels, table) if whole else None


def _written(entry: Path, parts: Sequence[Part], split: str) -> Columns:
    """Write an entry, in the place of a damaged one if need be, and map it."""
    for part in parts:
        part.verify()
    counts = [part.column("token_count").to_numpy().sum(dtype=np.int64) for part in parts]
    rows, tokens = sum(len(part.column("label")) for part in parts), int(sum(counts))
    kind = next(parts[0].row_groups())["tokens"].type.value_type
    staging = storage.staging_directory(entry, "")
    try:
        _tidy(entry)
        storage.make_directory(staging)
        _make_room(entry.parents[1], entry.parent, tokens * kind.bit_width // 8 + rows * _BYTES_A_ROW)
        _write(staging, parts, split, kind, rows, tokens)
        storage.swap_in(staging, entry)
    except OSError as error:
        raise ResourceError(
            f"{entry}: cannot be written ({error.strerror or error})",
            "free space, or set RAYGENE_CACHE to another place",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    found = _mapped(entry)
    if found is None:
        raise ResourceError(f"{entry}: written, but not there", "set RAYGENE_CACHE to another place")
    return found


def _write(staging: Path, parts: Sequence[Part], split: str, kind: pa.DataType, rows: int, tokens: int) -> None:
    try:
        arrow_column.write(staging / TOKENS, kind, tokens, _tokens_and_table(staging / TABLE, parts, split))
    except ValueError as error:
        raise DatasetError(f"{parts[0].path}: token_count does not tell the tokens ({error})", REBUILD) from error
    with pa.ipc.open_file(pa.memory_map(str(staging / TABLE))) as reader:
        arrow_column.write(staging / OFFSETS, pa.int64(), rows + 1, _offsets(reader))
        arrow_column.write(staging / LABELS, pa.int8(), rows, (batch["label"].to_numpy() for batch in _batches(reader)))


def _tokens_and_table(path: Path, parts: Sequence[Part], split: str) -> Iterator[NDArray[Any]]:
    """The token ids of one row group after another; the other columns go to a file, a part in a record batch."""
    writer = None
    with path.open("wb") as stream:
        for part in parts:
            seen = []
            for group in part.row_groups():
                seen.append(others(group, split))
                yield flat_tokens(group)
            table = pa.concat_tables(seen).combine_chunks()
            writer = writer or pa.ipc.new_file(stream, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
        arrow_column.settle(stream)


def _offsets(reader: pa.RecordBatchFileReader) -> Iterator[NDArray[np.int64]]:
    last = np.zeros(1, np.int64)
    yield last
    for batch in _batches(reader):
        ends = last[-1] + np.cumsum(batch["token_count"].to_numpy(), dtype=np.int64)
        yield ends
        last = ends if len(ends) else last


def _batches(reader: pa.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    return (reader.get_batch(number) for number in range(reader.num_record_batches))


def _make_room(datasets: Path, keep: Path, needed: int) -> None:
    """Drop the datasets not used for longest until what is needed fits within the limit and on the disk.

    Processes that have them mapped keep their pages. The splits of `keep`, the dataset to be written, all stay, and so do
    entries that another process is writing. What killed processes left goes first.
    """
    for entry in _left_behind(datasets):
        _drop(entry, whole=False)
    used = {entry: found for entry in _inside(datasets) if (found := _used(entry))}
    old = sorted((found.last, entry) for entry, found in used.items() if entry.parent != keep)
    kept, limit = sum(found.size for found in used.values()), _limit()
    for _, entry in old:
        if kept + needed <= limit and needed <= shutil.disk_usage(datasets).free:
            return
        _drop(entry, whole=True)
        if not entry.exists():
            kept -= used[entry].size


class _Used(NamedTuple):
    """When an entry was last opened, and its bytes."""

    last: float
    size: int


def _used(entry: Path) -> _Used | None:
    """The use of an entry; None for anything else, and for one that another process has just dropped."""
    if not _ENTRY.fullmatch(entry.name):
        return None
    try:
        return _Used(entry.stat().st_mtime, sum(file.stat().st_size for file in entry.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _left_behind(datasets: Path) -> set[Path]:
    """Entries beside which lies a hidden file or folder: the lock of a process that writes them, or what a killed one left."""
    found = ((path, _HIDDEN.match(path.name)) for path in _inside(datasets))
    return {path.with_name(match[1]) for path, match in found if match}


def _inside(datasets: Path) -> list[Path]:
    """What the folders of all datasets hold; nothing of one that another process has just removed."""
    found: list[Path] = []
    for folder in datasets.iterdir():
        with suppress(FileNotFoundError, NotADirectoryError):
            found += folder.iterdir()
    return found


def _drop(entry: Path, *, whole: bool) -> None:
    """Remove what killed processes left of an entry, and the entry itself if `whole`; nothing of one being written."""
    with suppress(ResourceError), storage.only_writer(entry):
        if whole:
            # Out of its name at once: nobody finds half of an entry.
            with suppress(OSError):
                entry.rename(entry.with_name(f".{entry.name}.dropped"))
        _tidy(entry)
    with suppress(OSError):
        entry.parent.rmdir()


def _tidy(entry: Path) -> None:
    """Remove the hidden folders of an entry, whose lock this process holds."""
    for path in entry.parent.iterdir():
        if path.name.startswith(f".{entry.name}.") and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _limit() -> float:
    """Bytes of datasets to keep.

    Raises:
        UsageError: the environment names no number.
    """
    given = os.environ.get(LIMIT, str(DEFAULT_GIB))
    try:
        gib = float(given)
    except ValueError as error:
        raise UsageError(f"{LIMIT}={given}: not a number", "give a number of GiB, such as 100") from error
    return gib * 2**30
