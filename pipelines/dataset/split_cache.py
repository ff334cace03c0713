"""The cache of splits on this machine: uncompressed Arrow files, which every process maps into its memory.

The first process to open a split writes its files while others wait: Parquet is decoded once per machine, with one row
group in memory. Then all processes share one copy of the pages, and rows in any order cost nothing. An entry is named
by its content: the dataset's fingerprint and the SHA-256 of the split's files. It appears by rename, once its bytes are
on disk, with a record of them: an entry that was damaged or edited since is written again.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import fingerprint, os_errors, schema, storage
from pipelines.dataset import arrow_column, file_record
from pipelines.dataset.columns import Columns, flat_states, flat_tokens, row_schema, without_tokens
from pipelines.dataset.manifest import REBUILD
from pipelines.dataset.parts import Part
from pipelines.dataset.row_checks import checked_row_groups, token_type, totals
from pipelines.errors import DatasetError, ResourceError, UsageError

LIMIT = "RAYGENE_CACHE_GIB"
DEFAULT_GIB = 100.0
FORMAT = 1
FILES = TOKENS, OFFSETS, LABELS, TABLE = "tokens.arrow", "offsets.arrow", "labels.arrow", "table.arrow"
STATES = "states.arrow"
"""A further file of an entry whose rows have states."""
VOCABULARY = "vocabulary_size"
_log = logging.getLogger(__name__)
# Estimated bytes of a row apart from its token ids: offset, label, and the interval's columns with names.
_BYTES_PER_ROW = 250
_NAME = rf"(?:{'|'.join(schema.SPLITS)})-[0-9a-f]{{16}}"
_ENTRY, _HIDDEN = re.compile(_NAME), re.compile(rf"\.({_NAME})\.")


def open_columns(
    dataset: str, parts: Sequence[Part], split: str, vocabulary_size: int | None = None, *, has_states: bool = False
) -> Columns:
    """The columns of a split, mapped from the cache; an entry that is missing, damaged or edited is written first.

    Args:
        dataset: fingerprint of the dataset.
        parts: its files of that split.
        split: the split.
        vocabulary_size: the number of token ids; None if it is not known.
        has_states: whether every base has a state.

    Raises:
        DatasetError: a file is missing, damaged, or not the one that the manifest lists.
        ResourceError: the cache cannot be written, or the disk is full.
    """
    key = fingerprint.of_value([FORMAT, split, [part.sha256 for part in parts]])
    entry = storage.cache_directory() / "datasets" / dataset / f"{split}-{key[:16]}"
    rows = _Rows(parts, split, vocabulary_size, has_states)
    columns = _map(entry, rows)
    if columns is None:
        with storage.only_writer(entry, wait=True):
            # Another process may have written it meanwhile.
            columns = _map(entry, rows) or _write_and_map(entry, rows)
    _require_counts(parts, columns)
    # The time of last use decides which entries are dropped first; a read-only cache does not record it.
    with suppress(OSError):
        os.utime(entry)
    return columns


def _map(entry: Path, source: _Rows) -> Columns | None:
    """The columns of an entry; None if it is missing, or not what was written."""
    if not file_record.fits(entry, source.files, {VOCABULARY: source.vocabulary_size}):
        return None
    try:
        with pa.ipc.open_file(pa.memory_map(str(entry / TABLE))) as reader:
            table = reader.read_all()
        tokens, offsets, labels = (arrow_column.read(entry / name) for name in (TOKENS, OFFSETS, LABELS))
        states = arrow_column.read(entry / STATES) if source.has_states else None
    except (OSError, ValueError, pa.ArrowException):
        return None
    is_consistent = len(offsets) == len(labels) + 1 == len(table) + 1 and offsets[0] == 0 and offsets[-1] == len(tokens)
    is_consistent = is_consistent and (states is None or len(states) == len(tokens))
    return Columns(tokens, offsets, labels, table, states) if is_consistent else None


def _require_counts(parts: Sequence[Part], columns: Columns) -> None:
    """Compare an entry, whose files may have been checked against another manifest, with what this one lists."""
    listed = [(part.rows, part.tokens) for part in parts]
    for number, (actual, what) in enumerate(((len(columns.labels), "rows"), (len(columns.tokens), "tokens"))):
        counts = [pair[number] for pair in listed]
        expected = sum(count or 0 for count in counts)
        if None not in counts and actual != expected:
            raise DatasetError(
                f"{parts[0].path.parent}: {actual:,} {what}, not the manifest's {expected:,}", REBUILD, code="damaged"
            )


def _write_and_map(entry: Path, source: _Rows) -> Columns:
    """Write an entry, which replaces a damaged one, and map it."""
    if file_record.exists(entry):
        _log.warning("%s: damaged or changed since it was written; it is written again", entry)
    with ExitStack() as verified:
        for part in source.parts:
            verified.enter_context(part.verified())
        _write_entry(entry, source)
    columns = _map(entry, source)
    if columns is None:
        raise ResourceError(f"{entry}: cannot be read after it was written", "set RAYGENE_CACHE to another directory")
    return columns


def _write_entry(entry: Path, source: _Rows) -> None:
    parts = source.parts
    kinds = [token_type(part, source.schema) for part in parts]
    if different := next((part for part, kind in zip(parts, kinds, strict=True) if kind != kinds[0]), None):
        raise DatasetError(f"{different.path}: its token ids are not {kinds[0]} as in {parts[0].path}", REBUILD)
    kind = kinds[0]
    rows, tokens = (sum(counts) for counts in zip(*map(totals, parts), strict=True))
    staging = storage.staging_directory(entry, "")
    try:
        _remove_leftovers(entry)
        storage.make_directory(staging)
        bytes_per_token = kind.bit_width // 8 + source.has_states
        _free_space(entry.parents[1], entry.parent, tokens * bytes_per_token + rows * _BYTES_PER_ROW)
        _write(staging, source, kind, rows, tokens)
        file_record.write(staging, source.files, {VOCABULARY: source.vocabulary_size})
        storage.swap_in(staging, entry)
    except OSError as error:
        raise ResourceError(
            f"{entry}: cannot be written ({os_errors.cause(error)})",
            f"{os_errors.fix(error, 'choose another location')} (RAYGENE_CACHE names the cache's directory)",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@dataclass(frozen=True)
class _Rows:
    """The rows that an entry holds; attributes as the arguments of `open_columns`."""

    parts: Sequence[Part]
    split: str
    vocabulary_size: int | None
    has_states: bool

    @property
    def files(self) -> tuple[str, ...]:
        return (*FILES, STATES) if self.has_states else FILES

    @property
    def schema(self) -> Callable[[pa.DataType], pa.Schema]:
        return row_schema(has_states=self.has_states)


def _write(staging: Path, source: _Rows, kind: pa.DataType, rows: int, tokens: int) -> None:
    try:
        arrow_column.write(staging / TOKENS, kind, tokens, _tokens_and_table(staging / TABLE, source))
    except ValueError as error:
        raise DatasetError(
            f"{source.parts[0].path}: token_count does not match the tokens ({error})", REBUILD
        ) from error
    if source.has_states:
        arrow_column.write(staging / STATES, pa.uint8(), tokens, _states(source))
    with pa.ipc.open_file(pa.memory_map(str(staging / TABLE))) as reader:
        arrow_column.write(staging / OFFSETS, pa.int64(), rows + 1, _offsets(reader))
        arrow_column.write(staging / LABELS, pa.int8(), rows, (batch["label"].to_numpy() for batch in _batches(reader)))


def _tokens_and_table(path: Path, source: _Rows) -> Iterator[NDArray[Any]]:
    """Yield the token ids of one row group after another; write the other columns to `path`, a batch per part."""
    writer = None
    with path.open("wb") as stream:
        for part in source.parts:
            groups = []
            for group in checked_row_groups(part, source.vocabulary_size, source.schema):
                groups.append(without_tokens(group, source.split))
                yield flat_tokens(group)
            table = pa.concat_tables(groups).combine_chunks()
            writer = writer or pa.ipc.new_file(stream, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
        arrow_column.sync_to_disk(stream)


def _states(source: _Rows) -> Iterator[NDArray[np.uint8]]:
    """Yield the states of one row group after another, which were checked with the tokens."""
    for part in source.parts:
        for group in part.row_groups(["states"]):
            yield flat_states([group])


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
