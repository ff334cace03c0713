"""The columns of one split as they are worked with: token ids and offsets as flat arrays, the rest as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.dataset.parts import Part


@dataclass(frozen=True)
class Columns:
    """All rows of a split.

    Attributes:
        tokens: all token ids end to end, shape (tokens,), uint16 or uint32.
        offsets: where each row starts in `tokens`, shape (rows + 1,), int64.
        labels: 1 gene, 0 negative, shape (rows,), int8.
        table: every column but the tokens, and `split`.
    """

    tokens: NDArray[Any]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int8]
    table: pa.Table


def in_memory(parts: Sequence[Part], split: str) -> Columns:
    """Read a split into this process's own memory.

    Raises:
        DatasetError: a file is missing or damaged.
    """
    groups = [group for part in parts for group in part.row_groups()]
    table = pa.concat_tables([others(group, split) for group in groups])
    counts = table["token_count"].to_numpy().astype(np.int64)
    return Columns(
        tokens=np.concatenate([flat_tokens(group) for group in groups]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        labels=table["label"].to_numpy(),
        table=table,
    )


def flat_tokens(rows: pa.Table) -> NDArray[Any]:
    """The token ids of rows end to end, shape (tokens,)."""
    return np.concatenate([chunk.flatten().to_numpy() for chunk in rows["tokens"].chunks])


def others(rows: pa.Table, split: str) -> pa.Table:
    """Every column of rows but the tokens, and the split, which the files leave to their folder's name."""
    return rows.drop_columns(["tokens"]).append_column("split", pa.array([split] * len(rows), pa.string()))
