from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dataset import arrow_column

PIECES = st.lists(st.lists(st.integers(0, 2**15), max_size=40), min_size=1, max_size=8).filter(any)


@given(PIECES, st.sampled_from([pa.uint16(), pa.uint32(), pa.int64()]))
def test_pieces_are_read_back_as_one_array(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[list[int]], kind: pa.DataType
) -> None:
    path = tmp_path_factory.getbasetemp() / "flat.arrow"
    arrays = [np.array(piece, str(kind)) for piece in pieces]
    expected = np.concatenate(arrays)
    arrow_column.write(path, kind, len(expected), arrays)
    column = arrow_column.read(path)
    assert column.dtype == expected.dtype
    assert column.tolist() == expected.tolist()


def test_any_reader_of_arrow_finds_one_record_batch_of_that_column(tmp_path: Path) -> None:
    arrow_column.write(tmp_path / "x", pa.uint16(), 5, [np.arange(3), np.arange(2)])
    reader = pa.ipc.open_file(tmp_path / "x")
    assert reader.num_record_batches == 1
    assert reader.read_all().to_pydict() == {"values": [0, 1, 2, 0, 1]}


def test_the_array_is_a_view_of_the_file_and_cannot_be_written(tmp_path: Path) -> None:
    arrow_column.write(tmp_path / "x", pa.uint16(), 1 << 20, [np.zeros(1 << 20)])
    before = pa.total_allocated_bytes()
    column = arrow_column.read(tmp_path / "x")
    assert pa.total_allocated_bytes() == before
    with pytest.raises(ValueError, match="read-only"):
        column[0] = 1


@pytest.mark.parametrize("pieces", [[np.arange(4)], [np.arange(4), np.arange(2)]])
def test_pieces_that_do_not_add_up_are_refused(tmp_path: Path, pieces: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="values instead of 5"):
        arrow_column.write(tmp_path / "x", pa.uint16(), 5, pieces)


def test_a_file_truncated_anywhere_is_refused(tmp_path: Path) -> None:
    arrow_column.write(tmp_path / "x", pa.uint16(), 500, [np.arange(500)])
    whole = (tmp_path / "x").read_bytes()
    for length in (0, 4, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises((pa.ArrowException, OSError, ValueError)):
            arrow_column.read(tmp_path / "cut")
