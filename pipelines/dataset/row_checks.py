"""Rows of a dataset's Parquet files, read one row group at a time and checked: nothing in them is taken on trust.

The checks are a few passes over arrays that are in memory anyway: some per cent of the time that decoding takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import schema
from pipelines.dataset.manifest import REBUILD
from pipelines.dataset.parts import Part, unreadable
from pipelines.errors import DatasetError

# Null where nothing is known; every other column has a value in every row.
OPTIONAL = frozenset({"gene_id", "biotype", "split"})
RowSchema = Callable[[pa.DataType], pa.Schema]
"""Gives the schema of rows for the type of their token ids."""
TOKEN_TYPES = (pa.uint16(), pa.uint32())
# Of `pipelines.structure.states`, which is a layer above: the bits of a strand's state, and the largest one.
STATE_BITS, MASKED = 4, 8


def token_type(part: Part, row_schema: RowSchema = schema.rows) -> pa.DataType:
    """The type of the token ids in a file, after checking that it has exactly the columns of a dataset.

    Raises:
        DatasetError: it cannot be read, or has other columns.
    """
    try:
        with pq.ParquetFile(part.path) as file:
            columns = file.schema_arrow
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unreadable(part.path, error) from error
    index = columns.get_field_index("tokens")
    kind = columns.field(index).type if index >= 0 else None
    value_type = kind.value_type if kind is not None and pa.types.is_list(kind) else None
    if value_type not in TOKEN_TYPES:
        raise _wrong(part, "no column tokens of lists of uint16 or uint32")
    for field in row_schema(value_type):
        index = columns.get_field_index(field.name)
        if index < 0:
            raise _wrong(part, f"column {field.name} is missing, or there twice")
        actual = columns.field(index).type
        # Other programs write whole numbers in another width.
        are_integers = pa.types.is_integer(actual) and pa.types.is_integer(field.type)
        are_lists = field.name in ("tokens", "states")
        if field.name == "states" and not (pa.types.is_list(actual) and actual.value_type == pa.uint8()):
            raise _wrong(part, f"column states is {actual}, not {field.type}")
        if not are_lists and actual != field.type and not are_integers:
            raise _wrong(part, f"column {field.name} is {actual}, not {field.type}")
    return value_type


def row_group_sizes(part: Part) -> list[tuple[int, int]]:
    """The number of rows and of tokens of each row group, after checking that counts, token ids and manifest agree.

    Raises:
        DatasetError: they do not, the file has no row, or it cannot be read.
    """
    try:
        with pq.ParquetFile(part.path) as file:
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            sizes = [(group.num_rows, _token_values(group)) for group in groups]
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unreadable(part.path, error) from error
    counts = part.column("token_count")
    if counts.null_count:
        raise _wrong(part, "column token_count has rows without a value")
    numbers = counts.to_numpy()
    rows, tokens = (sum(numbers) for numbers in zip((0, 0), *sizes, strict=True))
    # Parquet counts an empty list as one value.
    if len(numbers) != rows or numbers.min(initial=0) < 0 or int(np.maximum(numbers, 1).sum(dtype=np.int64)) != tokens:
        raise _wrong(part, "token_count does not match the tokens")
    if rows and numbers.min() == 0:
        raise _wrong(part, "a row without tokens")
    _require_counts(part, rows, tokens)
    return sizes


def _token_values(group: pq.RowGroupMetaData) -> int:
    columns = (group.column(number) for number in range(group.num_columns))
    return sum(column.num_values for column in columns if column.path_in_schema.startswith("tokens."))


def checked_row_group(part: Part, number: int, names: Sequence[str], vocabulary_size: int | None = None) -> pa.Table:
    """Some columns of one row group, `tokens` among them.

    Args:
        part: the file.
        number: of the row group.
        names: of the columns, in their order.
        vocabulary_size: the number of token ids; None if it is not known.

    Raises:
        DatasetError: the file is damaged, or a row is not one that `build` writes.
    """
    rows = part.row_group(number, names).select(names)
    _check(part, rows, vocabulary_size)
    return rows


def require_tokens(part: Part, rows: pa.Table, tokens: int) -> None:
    """Compare what was decoded with the number of tokens that the file says a row group has.

    Raises:
        DatasetError: it has others.
    """
    if int(rows["token_count"].to_numpy().sum(dtype=np.int64)) != tokens:
        raise _wrong(part, "token_count does not match the tokens")


def checked_row_groups(
    part: Part, vocabulary_size: int | None = None, row_schema: RowSchema = schema.rows
) -> Iterator[pa.Table]:
    """All columns of a file's schema, one row group at a time.

    Args:
        part: the file.
        vocabulary_size: the number of token ids; None if it is not known.
        row_schema: gives the schema for the type of the ids.

    Raises:
        DatasetError: the file is damaged, or a row is not one that `build` writes.
    """
    names = row_schema(token_type(part, row_schema)).names
    rows = tokens = 0
    for group in part.row_groups():
        group = group.select(names)
        _check(part, group, vocabulary_size)
        rows, tokens = rows + len(group), tokens + int(group["token_count"].to_numpy().sum(dtype=np.int64))
        yield group
    _require_counts(part, rows, tokens)


def _require_counts(part: Part, rows: int, tokens: int) -> None:
    for count, expected, what in ((rows, part.rows, "rows"), (tokens, part.tokens, "tokens")):
        if expected is not None and count != expected:
            raise _wrong(part, f"{count:,} {what}, not the manifest's {expected:,}")
    if rows == 0:
        raise _wrong(part, "no rows")


def _check(part: Part, rows: pa.Table, vocabulary_size: int | None) -> None:
    try:
        # Text that is not UTF-8 and lists that reach beyond their values.
        rows.validate(full=True)
    except pa.ArrowException as error:
        raise unreadable(part.path, error) from error
    for name in rows.column_names:
        if name not in OPTIONAL and rows[name].null_count:
            raise _wrong(part, f"column {name} has rows without a value")
    for chunk in rows["tokens"].chunks:
        ids = chunk.flatten()
        if ids.null_count:
            raise _wrong(part, "a token without an id")
        largest = int(ids.to_numpy().max(initial=0))
        if vocabulary_size is not None and largest >= vocabulary_size:
            raise _wrong(part, f"token id {largest} is not one of the vocabulary's {vocabulary_size:,}")
    counts = rows["token_count"].to_numpy()
    lengths = pc.list_value_length(rows["tokens"]).to_numpy()
    if not np.array_equal(counts, lengths):
        raise _wrong(part, "token_count does not match the tokens")
    if len(counts) and counts.min() < 1:
        raise _wrong(part, "a row without tokens")
    if "states" in rows.column_names:
        _check_states(part, rows)
    labels = rows["label"].to_numpy()
    if len(labels) and (labels.min() < 0 or labels.max() >= part.labels):
        raise _wrong(part, "a label that is not 0 or 1" if part.labels == 2 else "a label that is none of the classes")
    starts, ends = rows["start"].to_numpy(), rows["end"].to_numpy()
    if len(starts) and (starts.min() < 0 or (ends <= starts).any()):
        raise _wrong(part, "an interval that does not end after its start")


def _check_states(part: Part, rows: pa.Table) -> None:
    lengths = pc.list_value_length(rows["states"]).to_numpy()
    if not np.array_equal(lengths, rows["token_count"].to_numpy()):
        raise _wrong(part, "not a state for every token")
    if not np.array_equal(lengths, rows["end"].to_numpy() - rows["start"].to_numpy()):
        raise _wrong(part, "not a state for every base")
    for chunk in rows["states"].chunks:
        packed = chunk.flatten()
        if packed.null_count:
            raise _wrong(part, "a base without a state")
        counts = np.bincount(packed.to_numpy(), minlength=1 << 2 * STATE_BITS)
        both = np.flatnonzero(counts)
        if (both & ((1 << STATE_BITS) - 1) > MASKED).any() or (both >> STATE_BITS > MASKED).any():
            raise _wrong(part, "a byte of states that is none")


def _wrong(part: Part, problem: str) -> DatasetError:
    return DatasetError(f"{part.path}: {problem}", REBUILD, code="damaged")
