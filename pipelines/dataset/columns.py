"""The columns of one split: token ids, offsets and labels as flat arrays, the other columns as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines import schema
from pipelines.dataset import row_groups
from pipelines.dataset.parts import Part
from pipelines.dataset.row_checks import RowSchema
from pipelines.dataset.row_groups import Layout, RowGroup


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
    kind_of_rows = row_schema(has_states=has_states)
    with row_groups.verified(parts):
        layout = Layout.of(parts, kind_of_rows)
        tokens = np.empty(layout.tokens, str(layout.kind))
        states = np.empty(layout.tokens, np.uint8) if has_states else None

        def store(group: RowGroup, rows: pa.Table) -> pa.Table:
            place = slice(group.first, group.first + group.tokens)
            tokens[place] = flat_tokens(rows)
            if states is not None:
                states[place] = flat_states(rows)
            return without_tokens(rows, split)

        table = pa.concat_tables([rows for _, rows in layout.decode(kind_of_rows, vocabulary_size, store)])
    counts = table["token_count"].to_numpy().astype(np.int64)
    return Columns(tokens, np.concatenate([[0], np.cumsum(counts)]), table["label"].to_numpy(), table, states)


def row_schema(*, has_states: bool) -> RowSchema:
    """What gives the schema of a split's rows for the type of their token ids."""
    return schema.windows if has_states else schema.rows


def flat_tokens(rows: pa.Table) -> NDArray[Any]:
    """The token ids of all rows end to end, shape (tokens,)."""
    return _flat(rows, "tokens")


def flat_states(rows: pa.Table) -> NDArray[np.uint8]:
    """The states of all rows end to end, shape (tokens,)."""
    return _flat(rows, "states")


def _flat(rows: pa.Table, name: str) -> NDArray[Any]:
    return np.concatenate([chunk.flatten().to_numpy() for chunk in rows[name].chunks])


def without_tokens(rows: pa.Table, split: str) -> pa.Table:
    """All columns of rows but tokens and states, plus `split`, which is in the name of a file's directory only."""
    rows = rows.drop_columns([name for name in ("tokens", "states") if name in rows.column_names])
    return rows.append_column("split", pa.array([split] * len(rows), pa.string()))
