"""Parquet files of a split with random rows, and what becomes of them in the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import fingerprint, schema
from pipelines.dataset import columns
from pipelines.dataset.parts import Part


def part(path: Path, rows: int = 12, seed: int = 0, longest: int = 50) -> Part:
    """A file of random rows in row groups of five."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, longest, rows)
    values = {
        "interval_id": np.arange(rows),
        "genome": ["toy"] * rows,
        "chromosome": ["chr1"] * rows,
        "start": np.arange(rows),
        "end": np.arange(rows) + 1,
        "strand": ["+"] * rows,
        "source": ["gene"] * rows,
        "label": generator.integers(0, 2, rows),
        "tokens": [generator.integers(3, 67, count) for count in counts],
        "token_count": counts,
        "gene_id": [f"gene{number}" for number in range(rows)],
        **{name: np.zeros(rows, np.float32) for name in ("gc", "unknown_share", "soft_masked_share")},
    }
    table = pa.table({name: pa.array(values.get(name, [None] * rows), kind) for name, kind in fields()})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=5)
    return Part(path, fingerprint.of_file(path))


def fields() -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in schema.rows(pa.uint16())]


def same(split: columns.Columns, other: columns.Columns) -> bool:
    arrays = ((split.tokens, other.tokens), (split.offsets, other.offsets), (split.labels, other.labels))
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays) and split.table.equals(other.table)


def files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())
