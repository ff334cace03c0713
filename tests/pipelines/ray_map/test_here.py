from __future__ import annotations

import os

import pyarrow as pa
import pytest

from pipelines.errors import ResourceError
from pipelines.ray_map import in_this_process, map_tables, maps_here

TABLES = [pa.table({"number": [number]}) for number in range(5)]


def with_process(table: pa.Table) -> pa.Table:
    return table.append_column("process", pa.array([os.getpid()] * len(table)))


def test_tables_of_the_block_are_mapped_here_and_in_order() -> None:
    with in_this_process():
        results = pa.concat_tables(map_tables(list(TABLES), with_process))
    assert results.to_pydict() == {"number": list(range(5)), "process": [os.getpid()] * 5}


def test_the_block_ends_with_an_error_in_it() -> None:
    with pytest.raises(ValueError, match="x"), in_this_process():
        raise ValueError("x")
    assert not maps_here()


def test_what_the_operating_system_refuses_is_explained() -> None:
    def write(table: pa.Table) -> pa.Table:
        raise OSError(28, "No space left on device", "part")

    with in_this_process(), pytest.raises(ResourceError, match="No space left on device"):
        list(map_tables(list(TABLES), write))
