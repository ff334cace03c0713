from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.dataset import mapped_table
from pipelines.errors import StorageError

SCHEMA = pa.schema([("name", pa.string()), ("number", pa.int64())])


def tables(count: int) -> list[pa.Table]:
    return [pa.table({"name": ["a", None], "number": [number, -1]}, schema=SCHEMA) for number in range(count)]


@pytest.mark.parametrize("count", [0, 3])
def test_a_table_is_that_of_its_parts_and_stays_when_its_file_is_removed(tmp_path: Path, count: int) -> None:
    path = tmp_path / "folder" / "rows.arrow"
    before = pa.total_allocated_bytes()
    table = mapped_table.write(path, SCHEMA, iter(tables(count)))
    assert pa.total_allocated_bytes() - before < 1_000
    path.unlink()
    assert table.equals(pa.concat_tables([SCHEMA.empty_table(), *tables(count)]))


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        mapped_table.write(tmp_path / "file" / "rows.arrow", SCHEMA, tables(1))
