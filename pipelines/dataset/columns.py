"""The columns of one split: token ids, offsets and labels as flat arrays, the other columns as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import schema
from pipelines.dataset.parts import Part
from pipelines.dataset.row_checks import checked_row_groups


@dataclass(frozen=True)
class Columns:
    """All rows of a split.

    Attributes:
        tokens: all token ids end to end, shape (tokens,), uint16 or uint32.
        offsets: start of each row in `tokens`, and the end of the last one; shape (rows + 1,), int64.
        labels: 1 gene, 0 negative, shape (rows,), int8.
        table: all columns but the tokens and states, with `split`.
        states: of every base, both strands in a byte, shape (tokens,); None for rows without.
    """

    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int8]
    table: pa.Table
    states: NDArray[np.uint8] | None = None


def read_columns(
    parts: Sequence[Part], split: str, vocabulary_size: int | None = None, *, has_states: bool = False
) -> Columns:
    """Read a split into the memory of this process.

    Args:
        parts: its files.
        split: its name.
        vocabulary_size: the number of token ids; None if it is not known.
        has_states: whether every base has a state.

    Raises:
        DatasetError: a file is missing, damaged, or not the one that the manifest lists.
    """
    groups: list[pa.Table] = []
    for part in parts:
        with part.verified():
            groups += checked_row_groups(part, vocabulary_size, row_schema(has_states=has_states))
    table = pa.concat_tables([without_tokens(group, split) for group in groups])
    counts = table["token_count"].to_numpy().astype(np.int64)
    return Columns(
        tokens=np.concatenate([flat_tokens(group) for group in groups]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        labels=table["label"].to_numpy(),
        table=table,
        states=flat_states(groups) if has_states else None,
    )


def row_schema(*, has_states: bool) -> Callable[[pa.DataType], pa.Schema]:
    """What gives the schema of a split's rows for the type of their token ids."""
    return schema.windows if has_states else schema.rows


def flat_tokens(rows: pa.Table) -> NDArray[Any]:
    """The token ids of all rows end to end, shape (tokens,)."""
    return _flat(rows, "tokens")


def flat_states(groups: Sequence[pa.Table]) -> NDArray[np.uint8]:
    """The states of all rows of all groups end to end, shape (tokens,)."""
    return np.concatenate([_flat(rows, "states") for rows in groups])


def _flat(rows: pa.Table, name: str) -> NDArray[Any]:
    return np.concatenate([chunk.flatten().to_numpy() for chunk in rows[name].chunks])


def without_tokens(rows: pa.Table, split: str) -> pa.Table:
    """All columns of rows but tokens and states, plus `split`, which is in the name of a file's directory only."""
    rows = rows.drop_columns([name for name in ("tokens", "states") if name in rows.column_names])
    return rows.append_column("split", pa.array([split] * len(rows), pa.string()))
