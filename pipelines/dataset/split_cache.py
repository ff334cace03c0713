"""The cache of splits on this machine: uncompressed Arrow files, which every process maps into its memory.

The first process to open a split writes its files while others wait: Parquet is decoded once per machine, with one row
group in memory. Then all processes share one copy of the pages, and rows in any order cost nothing. An entry is named
by its content: the dataset's fingerprint and the SHA-256 of the split's files. It appears by rename, once its bytes are
on disk.
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

from pipelines import fingerprint, os_errors, schema, storage
from pipelines.dataset import arrow_column
from pipelines.dataset.columns import Columns, flat_tokens, without_tokens
from pipelines.dataset.parts import REBUILD, Part
from pipelines.errors import DatasetError, ResourceError, UsageError

LIMIT = "RAYGENE_CACHE_GIB"
DEFAULT_GIB = 100.0
FORMAT = 1
TOKENS, OFFSETS, LABELS, TABLE = "tokens.arrow", "offsets.arrow", "labels.arrow", "table.arrow"
# Estimated bytes of a row apart from its token ids: offset, label, and the interval's columns with names.
_BYTES_PER_ROW = 250
_NAME = rf"(?:{'|'.join(schema.SPLITS)})-[0-9a-f]{{16}}"
_ENTRY, _HIDDEN = re.compile(_NAME), re.compile(rf"\.({_NAME})\.")


def open_columns(dataset: str, parts: Sequence[Part], split: str) -> Columns:
    """The columns of a split, mapped from the cache; an entry that is missing or damaged is written first.

    Args:
        dataset: fingerprint of the dataset.
        parts: its files of that split.
        split: the split.

    Raises:
        DatasetError: a file is missing, damaged, or not the one that the manifest lists.
        ResourceError: the cache cannot be written, or the disk is full.
    """
    key = fingerprint.of_value([FORMAT, split, [part.sha256 for part in parts]])
    entry = storage.cache_directory() / "datasets" / dataset / f"{split}-{key[:16]}"
    columns = _map(entry)
    if columns is None:
        with storage.only_writer(entry, wait=True):
            # Another process may have written it meanwhile.
            columns = _map(entry) or _write_and_map(entry, parts, split)
    # The time of last use decides which entries are dropped first; a read-only cache does not record it.
    with suppress(OSError):
        os.utime(entry)
    return columns


def _map(entry: Path) -> Columns | None:
    """The columns of an entry; None if it is missing, truncated or inconsistent."""
    try:
        with pa.ipc.open_file(pa.memory_map(str(entry / TABLE))) as reader:
            table = reader.read_all()
        tokens, offsets, labels = (arrow_column.read(entry / name) for name in (TOKENS, OFFSETS, LABELS))
    except (OSError, ValueError, pa.ArrowException):
        return None
    is_consistent = len(offsets) == len(labels) + 1 == len(table) + 1 and offsets[0] == 0 and offsets[-1] == len(tokens)
    return Columns(tokens, offsets, labels, table) if is_consistent else None


def _write_and_map(entry: Path, parts: Sequence[Part], split: str) -> Columns:
    """Write an entry, which replaces a damaged one, and map it."""
    for part in parts:
        part.verify()
    counts = [part.column("token_count").to_numpy().sum(dtype=np.int64) for part in parts]
    rows, tokens = sum(len(part.column("label")) for part in parts), int(sum(counts))
    kind = next(parts[0].row_groups())["tokens"].type.value_type
    staging = storage.staging_directory(entry, "")
    try:
        _remove_leftovers(entry)
        storage.make_directory(staging)
        _free_space(entry.parents[1], entry.parent, tokens * kind.bit_width // 8 + rows * _BYTES_PER_ROW)
        _write(staging, parts, split, kind, rows, tokens)
        storage.swap_in(staging, entry)
    except OSError as error:
        raise ResourceError(
            f"{entry}: cannot be written ({os_errors.cause(error)})",
            f"{os_errors.fix(error, 'choose another location')} (RAYGENE_CACHE names the cache's directory)",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    columns = _map(entry)
    if columns is None:
        raise ResourceError(f"{entry}: cannot be read after it was written", "set RAYGENE_CACHE to another directory")
    return columns


def _write(staging: Path, parts: Sequence[Part], split: str, kind: pa.DataType, rows: int, tokens: int) -> None:
    try:
        arrow_column.write(staging / TOKENS, kind, tokens, _tokens_and_table(staging / TABLE, parts, split))
    except ValueError as error:
        raise DatasetError(f"{parts[0].path}: token_count does not match the tokens ({error})", REBUILD) from error
    with pa.ipc.open_file(pa.memory_map(str(staging / TABLE))) as reader:
        arrow_column.write(staging / OFFSETS, pa.int64(), rows + 1, _offsets(reader))
        arrow_column.write(staging / LABELS, pa.int8(), rows, (batch["label"].to_numpy() for batch in _batches(reader)))


def _tokens_and_table(path: Path, parts: Sequence[Part], split: str) -> Iterator[NDArray[Any]]:
    """Yield the token ids of one row group after another; write the other columns to `path`, a batch per part."""
    writer = None
    with path.open("wb") as stream:
        for part in parts:
            groups = []
            for group in part.row_groups():
                groups.append(without_tokens(group, split))
                yield flat_tokens(group)
            table = pa.concat_tables(groups).combine_chunks()
            writer = writer or pa.ipc.new_file(stream, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
        arrow_column.sync_to_disk(stream)


def _offsets(reader: pa.RecordBatchFileReader) -> Iterator[NDArray[np.int64]]:
    """The offsets of all rows in pieces: 0, then the ends of the rows of each record batch."""
    last = np.zeros(1, np.int64)
    yield last
    for batch in _batches(reader):
        ends = last[-1] + np.cumsum(batch["token_count"].to_numpy(), dtype=np.int64)
        yield ends
        last = ends if len(ends) else last


def _batches(reader: pa.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    return (reader.get_batch(number) for number in range(reader.num_record_batches))


def _free_space(datasets: Path, keep: Path, needed: int) -> None:
    """Drop the least recently used entries until `needed` bytes fit within the limit and on the disk.

    Processes that have a dropped entry mapped keep its pages. The splits of the dataset `keep`, which is being written,
    are not dropped, nor are entries that another process is writing. Leftovers of killed processes are removed first.

    Args:
        datasets: the directory of all datasets in the cache.
        keep: the directory of the dataset that is being written.
        needed: bytes of the entry that is being written.
    """
    for entry in _entries_with_leftovers(datasets):
        _drop(entry, whole=False)
    entries = {entry: usage for entry in _list_entries(datasets) if (usage := _usage(entry))}
    oldest_first = sorted((usage.last_opened, entry) for entry, usage in entries.items() if entry.parent != keep)
    cached, limit = sum(usage.size for usage in entries.values()), _limit()
    for _, entry in oldest_first:
        if cached + needed <= limit and needed <= shutil.disk_usage(datasets).free:
            return
        _drop(entry, whole=True)
        if not entry.exists():
            cached -= entries[entry].size


class _Usage(NamedTuple):
    """When an entry was last opened, as a time stamp, and its size in bytes."""

    last_opened: float
    size: int


def _usage(entry: Path) -> _Usage | None:
    """The usage of an entry; None for anything else, and for an entry that another process has just dropped."""
    if not _ENTRY.fullmatch(entry.name):
        return None
    try:
        return _Usage(entry.stat().st_mtime, sum(file.stat().st_size for file in entry.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _entries_with_leftovers(datasets: Path) -> set[Path]:
    """Entries with a hidden file or directory next to them: a lock of their writer, or a leftover of a killed one."""
    matches = ((path, _HIDDEN.match(path.name)) for path in _list_entries(datasets))
    return {path.with_name(match[1]) for path, match in matches if match}


def _list_entries(datasets: Path) -> list[Path]:
    """The content of the directories of all datasets; nothing of one that another process has just removed."""
    paths: list[Path] = []
    for dataset in datasets.iterdir():
        with suppress(FileNotFoundError, NotADirectoryError):
            paths += dataset.iterdir()
    return paths


def _drop(entry: Path, *, whole: bool) -> None:
    """Remove the leftovers of an entry, and the entry itself if `whole`; nothing if another process is writing it."""
    with suppress(ResourceError), storage.only_writer(entry):
        if whole:
            # Renamed at once, so that no process finds half of an entry.
            with suppress(OSError):
                entry.rename(entry.with_name(f".{entry.name}.dropped"))
        _remove_leftovers(entry)
    # Succeeds only if the dataset has no other entries.
    with suppress(OSError):
        entry.parent.rmdir()


def _remove_leftovers(entry: Path) -> None:
    """Remove the hidden directories of an entry, whose lock this process holds."""
    for path in entry.parent.iterdir():
        if path.name.startswith(f".{entry.name}.") and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _limit() -> float:
    """How many bytes of datasets the cache may hold.

    Raises:
        UsageError: the environment variable is not a number.
    """
    value = os.environ.get(LIMIT, str(DEFAULT_GIB))
    try:
        gib = float(value)
    except ValueError as error:
        raise UsageError(f"{LIMIT}={value}: not a number", "set it to a number of GiB, such as 100") from error
    return gib * 2**30
