"""The token stage: rows of the interval table to rows of the dataset, written as Parquet parts.

A task reads each stretch of chromosome once, lays its intervals end to end on their own strands, and encodes them
in one vectorised pass. A part appears by rename, and its record after it; a resumed build keeps both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines import fingerprint, schema, storage
from pipelines.build import task_plan
from pipelines.genome import sequence
from pipelines.genome.labelled import Sequences
from pipelines.genome.sequence import Bytes
from pipelines.negatives import dinucleotide
from pipelines.splits import sketch, sketch_files
from pipelines.stores.staging import RECORDS, Staging
from pipelines.tokens.tokenizer import Tokenizer
from pipelines.tokens.vocabulary import UNK

ROW_GROUP_TOKENS = 1 << 20
DINUCLEOTIDE = "dinucleotide"
# Splitting the ids' bytes into streams packs a fifth smaller and faster than a dictionary of k-mers: docs/decisions/.
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": ["genome", "chromosome", "strand", "source", "label", "pair_id", "states.list.element"],
    "column_encoding": {"tokens.list.element": "BYTE_STREAM_SPLIT"},
}


def strand_bases(genome: Sequences, table: pa.Table) -> tuple[Bytes, NDArray[np.int64]]:
    """Return the bases of intervals, each on its own strand, end to end.

    Args:
        genome: the genome or collection of the intervals.
        table: intervals of one genome, sorted by chromosome and start.

    Returns:
        ASCII letters, shape (sum of lengths,), and the length of each interval, shape (intervals,).
    """
    start, end = table["start"].to_numpy(), table["end"].to_numpy()
    chromosomes = table["chromosome"].to_pylist()
    strands = table["strand"].to_pylist()
    lengths = end - start
    bases = np.empty(int(lengths.sum()), np.uint8)
    offset = 0
    for first, last in _runs_of_equal(chromosomes):
        low, high = int(start[first:last].min()), int(end[first:last].max())
        stretch = genome.sequence(chromosomes[first], low, high)
        bounds = zip(
            (start[first:last] - low).tolist(), (end[first:last] - low).tolist(), strands[first:last], strict=True
        )
        for interval_start, interval_end, strand in bounds:
            letters = stretch[interval_start:interval_end]
            letters = sequence.reverse_complement(letters) if strand == "-" else letters
            bases[offset : offset + len(letters)] = letters
            offset += len(letters)
    return bases, lengths


def dataset_bases(genome: Sequences, table: pa.Table, seed: int) -> tuple[Bytes, NDArray[np.int64]]:
    """Return the bases of a dataset's intervals: as `strand_bases`, and shuffled where the source is `dinucleotide`.

    Args:
        genome: the genome or collection of the intervals.
        table: rows of the interval table, of one genome, sorted by chromosome and start.
        seed: `negatives.seed`; with the interval's id it seeds each shuffle.
    """
    bases, lengths = strand_bases(genome, table)
    ends = np.cumsum(lengths)
    is_shuffled = pc.equal(table["source"], DINUCLEOTIDE).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(is_shuffled):
        of_row = slice(int(ends[row] - lengths[row]), int(ends[row]))
        row_seed = fingerprint.seed(seed, DINUCLEOTIDE, table["interval_id"][int(row)].as_py())
        bases[of_row] = dinucleotide.shuffle(bases[of_row], np.random.default_rng(row_seed))
    return bases, lengths


def _runs_of_equal(names: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the first row and the row after the last of each run of equal names."""
    first = 0
    for row in range(1, len(names) + 1):
        if row == len(names) or names[row] != names[first]:
            yield first, row
            first = row


def encode(table: pa.Table, bases: Bytes, codes: Bytes, lengths: NDArray[np.int64], tokenizer: Tokenizer) -> pa.Table:
    """Encode intervals and their bases, as `strand_bases` returns them, to rows of the dataset with `split`.

    Args:
        table: the intervals.
        bases: their letters end to end, shape (sum of lengths,).
        codes: `sequence.base_codes` of the letters.
        lengths: bases of each, shape (intervals,).
        tokenizer: turns bases into ids.
    """
    return describe(table, bases, codes, lengths, *tokenizer.encode_many(codes, lengths))


def describe(
    table: pa.Table,
    bases: Bytes,
    codes: Bytes,
    lengths: NDArray[np.int64],
    tokens: NDArray[Any],
    counts: NDArray[np.int64],
) -> pa.Table:
    """Put intervals, their tokens and figures on their bases into rows of the dataset with `split`.

    Args:
        table: the intervals.
        bases: their letters end to end, shape (sum of lengths,).
        codes: `sequence.base_codes` of the letters.
        lengths: bases of each, shape (intervals,).
        tokens: their ids end to end, shape (tokens,).
        counts: tokens of each, shape (intervals,).
    """
    known = sequence.true_counts(codes != sequence.OTHER, lengths)
    gc = sequence.true_counts((codes == 1) | (codes == 2), lengths)
    masked = sequence.true_counts(sequence.is_soft_masked(bases), lengths)
    unknown = sequence.true_counts(tokens == UNK, counts)
    lists = pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(counts)).astype(np.int32)), pa.array(tokens))
    columns = {name: table[name] for name in schema.INTERVALS.names}
    columns |= {
        "tokens": lists,
        "token_count": pa.array(counts.astype(np.int32)),
        "gc": pa.array((gc / np.maximum(known, 1)).astype(np.float32)),
        "unknown_share": pa.array((unknown / counts).astype(np.float32)),
        "soft_masked_share": pa.array((masked / lengths).astype(np.float32)),
    }
    return pa.table(columns)


@dataclass(frozen=True)
class CountTokens:
    """A map from a task's table to the number of occurrences of each id that occurs in rows of train.

    The number of these rows is in the first row of the column `rows`, for the progress report.

    Attributes:
        genomes: name to genome.
        tokenizer: turns bases into ids.
        seed: `negatives.seed`.
    """

    genomes: dict[str, Sequences]
    tokenizer: Tokenizer
    seed: int

    def __call__(self, table: pa.Table) -> pa.Table:
        counts = np.zeros(0, np.int64)
        table = table.filter(pc.equal(table["split"], "train"))
        if len(table):
            bases, lengths = dataset_bases(self.genomes[table["genome"][0].as_py()], table, self.seed)
            counts = self.tokenizer.count_tokens(sequence.base_codes(bases), lengths)
        tokens = np.flatnonzero(counts)
        rows = np.zeros(len(tokens), np.int64)
        rows[:1] = len(table)
        return pa.table({"token": tokens, "count": counts[tokens].astype(np.int64), "rows": rows})


@dataclass(frozen=True)
class SketchIntervals:
    """A map from a task's table that writes the sketches of its intervals, and returns how many intervals.

    Attributes:
        genomes: name to genome.
        staging: receives the files of all tasks.
        seed: `negatives.seed`.
        one_in: one in how many k-mers is kept; see `sketch`.
    """

    genomes: dict[str, Sequences]
    staging: Staging
    seed: int
    one_in: int

    def __call__(self, table: pa.Table) -> pa.Table:
        if len(table):
            bases, lengths = dataset_bases(self.genomes[table["genome"][0].as_py()], table, self.seed)
            with self.staging.task_folder() as folder:
                write_sketches(table, sequence.base_codes(bases), lengths, folder / RECORDS, self.one_in)
        return pa.table({"rows": [len(table)]})


def write_sketches(table: pa.Table, codes: Bytes, lengths: NDArray[np.int64], folder: Path, one_in: int) -> None:
    """Write the sketches of a task's intervals, unless they are there.

    Args:
        table: the intervals, all of one task.
        codes: `sequence.base_codes` of their letters end to end, shape (sum of lengths,).
        lengths: bases of each, shape (intervals,).
        folder: receives the files.
        one_in: one in how many k-mers is kept; see `sketch`.
    """
    task = table["task"][0].as_py()
    if not sketch_files.is_written(folder, task):
        sketches = sketch.sketch(codes, lengths, table["interval_id"].to_numpy(), one_in)
        sketch_files.write(folder, task, sketches)


def write_once(
    table: pa.Table, staging: Staging, write: Callable[[pa.Table, int, Path], dict[str, Any]], prefix: str = ""
) -> pa.Table:
    """Write a task's files unless its record exists, and return the record; no row for an empty table.

    Args:
        table: rows of one task.
        staging: what becomes the dataset, with the records.
        write: writes the files of a table and a task into a directory, and returns the record's entries; `files` are
            the manifest's.
        prefix: of the record's name, where tasks of several kinds have the same numbers.
    """
    if len(table) == 0:
        return pa.table({"record": pa.array([], pa.string())})
    task = table["task"][0].as_py()
    name = f"{prefix}{task:05d}.json"
    record = staging.read_record(name)
    if record is None:
        with staging.task_folder() as folder:
            record = json.dumps({"task": task, **write(table, task, folder)}, sort_keys=True)
        staging.write_record(name, record)
    return pa.table({"record": pa.array([record], pa.string())})


@dataclass(frozen=True)
class WriteParts:
    """A map over interval tables that writes their rows and returns one record, as JSON, for each table.

    Attributes:
        genomes: name to genome.
        tokenizer: turns bases into ids.
        staging: what becomes the dataset.
        seed: `negatives.seed`.
        one_in: one in how many k-mers is kept in the sketches that measure leakage; see `sketch`.
    """

    genomes: dict[str, Sequences]
    tokenizer: Tokenizer
    staging: Staging
    seed: int
    one_in: int

    def __call__(self, table: pa.Table) -> pa.Table:
        return write_once(table, self.staging, self._write)

    def _write(self, table: pa.Table, task: int, folder: Path) -> dict[str, Any]:
        bases, lengths = dataset_bases(self.genomes[table["genome"][0].as_py()], table, self.seed)
        codes = sequence.base_codes(bases)
        rows = encode(table, bases, codes, lengths, self.tokenizer)
        write_sketches(table, codes, lengths, folder / RECORDS, self.one_in)
        return {"files": write_splits(rows, folder, task, self.tokenizer)}


def write_splits(
    rows: pa.Table,
    directory: Path,
    task: int,
    tokenizer: Tokenizer,
    row_schema: Callable[[pa.DataType], pa.Schema] = schema.rows,
) -> list[dict[str, Any]]:
    """Write the rows of a task, a file for each split; return their entries for the manifest.

    Args:
        rows: every column of the schema, in any order, and `split`.
        directory: the dataset's directory.
        task: number of the task.
        tokenizer: the tokenizer of the rows' ids.
        row_schema: gives the schema for the type of the ids.
    """
    files = []
    splits = np.array(rows["split"].to_pylist(), dtype=object)
    for split in schema.SPLITS:
        in_split = splits == split
        if in_split.any():
            part = rows if in_split.all() else rows.filter(pa.array(in_split))
            name = f"split={split}/part-{task:05d}.parquet"
            files.append(write_part(part, directory, name, tokenizer, row_schema))
    return files


def write_part(
    rows: pa.Table,
    directory: Path,
    name: str,
    tokenizer: Tokenizer,
    row_schema: Callable[[pa.DataType], pa.Schema] = schema.rows,
) -> dict[str, Any]:
    """Write one Parquet file in row groups of bounded tokens; return its entry for the manifest.

    Args:
        rows: every column of the schema, in any order.
        directory: the dataset's directory.
        name: path of the file, relative to the directory.
        tokenizer: the tokenizer of the rows' ids.
        row_schema: gives the schema for the type of the ids.
    """
    columns = row_schema(pa.from_numpy_dtype(tokenizer.dtype))
    table = rows.select(columns.names).cast(columns)
    counts = table["token_count"].to_numpy()
    with storage.replacing(directory / name) as temporary:
        with pq.ParquetWriter(temporary, table.schema, **_PARQUET) as writer:
            for group in task_plan.row_groups(counts, ROW_GROUP_TOKENS):
                writer.write_table(table.slice(group.start, group.stop - group.start), row_group_size=len(table))
        digest = fingerprint.of_file(temporary)
        size = temporary.stat().st_size
    is_short = (table["end"].to_numpy() - table["start"].to_numpy()) < tokenizer.k
    return {
        "path": name,
        "rows": len(table),
        "tokens": int(counts.sum()),
        "bytes": size,
        "sha256": digest,
        "shorter_than_k": int(is_short.sum()),
        "unknown_tokens": int(np.rint(table["unknown_share"].to_numpy() * counts).sum()),
        "longest_tokens": int(counts.max()),
    }
