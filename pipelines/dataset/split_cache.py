"""The cache of splits on this machine: uncompressed Arrow files, which every process maps into its memory.

The first process to open a split writes its files while others wait: Parquet is decoded once per machine, by as many
threads as there are CPUs, with two row groups in memory for each. Then all processes share one copy of the pages, and
rows in any order cost nothing. An entry is named by its content: the dataset's fingerprint and the SHA-256 of the
split's files. It appears by rename, once its bytes are on disk, with a record of them: an entry that was damaged or
edited since is written again.
"""

from __future__ import annotations

import logging
import os
import shutil
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import fingerprint, os_errors, storage
from pipelines.dataset import arrow_column, cache_space, file_record, row_groups
from pipelines.dataset.columns import Columns, flat_states, flat_tokens, row_schema, without_tokens
from pipelines.dataset.manifest import REBUILD
from pipelines.dataset.parts import Part
from pipelines.dataset.row_checks import RowSchema
from pipelines.dataset.row_groups import Layout, RowGroup
from pipelines.errors import DatasetError, ResourceError

FORMAT = 1
FILES = TOKENS, OFFSETS, LABELS, TABLE = cache_space.TOKENS, "offsets.arrow", "labels.arrow", "table.arrow"
STATES = "states.arrow"
"""A further file of an entry whose rows have states."""
VOCABULARY = "vocabulary_size"
_log = logging.getLogger(__name__)
# Estimated bytes of a row apart from its token ids: offset, label, and the interval's columns with names.
_BYTES_PER_ROW = 250


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
        UsageError: the split does not fit within the cache's limit.
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
    """The columns of an entry, which is in use as long as they are; None if it is missing, or not what was written."""
    if (in_use := cache_space.use(entry)) is None:
        return None
    columns = None
    try:
        columns = _read(entry, source)
    finally:
        if columns is None:
            os.close(in_use)
        else:
            weakref.finalize(columns.tokens, os.close, in_use)
    return columns


def _read(entry: Path, source: _Rows) -> Columns | None:
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
    with row_groups.verified(source.parts):
        _write_entry(entry, source)
    columns = _map(entry, source)
    if columns is None:
        raise ResourceError(f"{entry}: cannot be read after it was written", "set RAYGENE_CACHE to another directory")
    return columns


def _write_entry(entry: Path, source: _Rows) -> None:
    layout = Layout.of(source.parts, source.schema)
    staging = storage.staging_directory(entry, "")
    try:
        cache_space.remove_leftovers(entry)
        storage.make_directory(staging)
        bytes_per_token = layout.kind.bit_width // 8 + source.has_states
        needed = layout.tokens * bytes_per_token + layout.rows * _BYTES_PER_ROW
        what = f"{source.parts[0].path.parents[1]}: split {source.split}"
        cache_space.reserve(entry.parents[1], staging, needed, what)
        _write(staging, source, layout)
        cache_space.release(staging)
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
    def schema(self) -> RowSchema:
        return row_schema(has_states=self.has_states)


def _write(staging: Path, source: _Rows, layout: Layout) -> None:
    with ExitStack() as files:
        tokens = files.enter_context(arrow_column.create(staging / TOKENS, layout.kind, layout.tokens))
        states = None
        if source.has_states:
            states = files.enter_context(arrow_column.create(staging / STATES, pa.uint8(), layout.tokens))

        def store(group: RowGroup, rows: pa.Table) -> pa.Table:
            tokens.put(group.first, flat_tokens(rows))
            if states is not None:
                states.put(group.first, flat_states(rows))
            return without_tokens(rows, source.split)

        _write_table(staging / TABLE, layout.decode(source.schema, source.vocabulary_size, store))
    with pa.ipc.open_file(pa.memory_map(str(staging / TABLE))) as reader:
        arrow_column.write(staging / OFFSETS, pa.int64(), layout.rows + 1, _offsets(reader))
        labels = (batch["label"].to_numpy() for batch in _batches(reader))
        arrow_column.write(staging / LABELS, pa.int8(), layout.rows, labels)


def _write_table(path: Path, groups: Iterator[tuple[RowGroup, pa.Table]]) -> None:
    """Write the other columns, a batch for each file of the dataset."""
    writer = None
    with path.open("wb") as stream:
        tables = []
        for group, rows in groups:
            tables.append(rows)
            if group.ends_part:
                table = pa.concat_tables(tables).combine_chunks()
                writer = writer or pa.ipc.new_file(stream, table.schema)
                writer.write_table(table)
                tables = []
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
