from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.dataset import table_files
from pipelines.dataset.table_files import TableFiles
from pipelines.errors import StorageError
from pipelines.stores.staging import RECORDS, Staging
from pipelines.stores.store import Store

SCHEMA = pa.schema([("name", pa.string()), ("number", pa.int64())])


def tables(count: int) -> list[pa.Table]:
    return [pa.table({"name": ["a", None], "number": [number, -1]}, schema=SCHEMA) for number in range(count)]


def test_a_table_is_mapped_and_stays_when_its_file_is_removed(tmp_path: Path) -> None:
    before = pa.total_allocated_bytes()
    table_files.write(tmp_path, "rows.arrow", pa.concat_tables(tables(2)))
    table = table_files.read(Staging(tmp_path), "rows.arrow")
    assert pa.total_allocated_bytes() - before < 1_000
    (tmp_path / RECORDS / "rows.arrow").unlink()
    assert table.equals(pa.concat_tables(tables(2)))


@pytest.mark.parametrize("in_store", [False, True])
def test_tables_are_read_in_the_order_of_their_names_wherever_they_lie(tmp_path: Path, in_store: bool) -> None:
    store = Store(f"local://{tmp_path}/bucket") if in_store else None
    staging = Staging(tmp_path / "local", store)
    written = [*tables(2), SCHEMA.empty_table()]
    for number, table in enumerate(written):
        with staging.task_folder() as folder:
            table_files.write(folder, f"{number}.arrow", table)
    files = TableFiles(staging, [f"{number}.arrow" for number in range(3)])
    assert [*files] == written
    assert [*files[1:]] == written[1:]


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / RECORDS).write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        table_files.write(tmp_path, "rows.arrow", tables(1)[0])
