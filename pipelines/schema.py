"""The Arrow schemas of the interval table and of a token dataset's rows."""

from __future__ import annotations

import pyarrow as pa

FORMAT_VERSION = 1
# Incremented whenever the same inputs and parameters give different rows or bytes, so that no old dataset
# passes for a new one.
CONTENT_REVISION = 4
SPLITS = ("train", "validation", "test")
WINDOW = "window"
"""The `source` of a window whose every base has a state."""

INTERVALS = pa.schema(
    [
        ("interval_id", pa.int64()),
        ("genome", pa.string()),
        ("chromosome", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("label", pa.int8()),
        ("source", pa.string()),
        ("gene_id", pa.string()),
        ("biotype", pa.string()),
        ("split", pa.string()),
    ]
)


def rows(token_type: pa.DataType) -> pa.Schema:
    """The schema of dataset rows whose token ids are of `token_type` (uint16 or uint32).

    `split` is not a column of the files: it is the partition (`split=train/`), and readers of partitioned
    datasets refuse a file that holds the column as well.
    """
    extra = [
        ("tokens", pa.list_(token_type)),
        ("token_count", pa.int32()),
        ("gc", pa.float32()),
        ("unknown_share", pa.float32()),
        ("soft_masked_share", pa.float32()),
    ]
    columns = [field for field in INTERVALS if field.name != "split"]
    return pa.schema([*columns, *(pa.field(name, kind) for name, kind in extra)])


def windows(token_type: pa.DataType) -> pa.Schema:
    """The schema of windows with labelled bases: that of `rows`, plus the states of both strands in a byte a base."""
    return rows(token_type).append(pa.field("states", pa.list_(pa.uint8())))


def left_out(token_type: pa.DataType) -> pa.Schema:
    """The schema of genes left out of the splits.

    It is that of `rows`, plus the split as a column, the reason, and whether train shows a base of the gene.
    """
    extra = [("split", pa.string()), ("reason", pa.string()), ("overlaps_train", pa.bool_())]
    return pa.schema([*rows(token_type), *(pa.field(name, kind) for name, kind in extra)])
