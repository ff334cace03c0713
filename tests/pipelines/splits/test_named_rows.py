from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.splits.named_rows import NamedRows, number_pairs

NAMES = st.lists(st.sampled_from(["a", "b", "chr1", "", "ü"]), max_size=30)


@given(NAMES, st.lists(st.sampled_from(["a", "chr1", "absent"]), max_size=3))
def test_rows_of_a_name_are_those_that_a_loop_finds(names: list[str], searched: list[str]) -> None:
    rows = NamedRows(pa.chunked_array([names], pa.string()))
    assert rows.names == list(dict.fromkeys(names))
    assert [rows.names[number] for number in rows.numbers] == names
    for name in {*names, "absent"}:
        assert rows.of(name).tolist() == [row for row, other in enumerate(names) if other == name]
    assert rows.are_any_of(searched).tolist() == [name in searched for name in names]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30))
def test_pairs_are_numbered_in_order_of_their_first_row(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    number_of = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    assert number_pairs(first, second).tolist() == [number_of[pair] for pair in pairs]
