from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.engine.objectives.validation_pieces import cut, dealt, spread

STRETCHES = st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=8), min_size=1, max_size=6)


def rows_of(stretches: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of rows of these lengths, and the bounds of their stretches."""
    offsets = np.concatenate([[0], np.cumsum([length for stretch in stretches for length in stretch])]).astype(np.int64)
    bounds, row = [], 0
    for stretch in stretches:
        bounds += [(offsets[row], offsets[row + len(stretch)])] * len(stretch)
        row += len(stretch)
    return offsets, np.array(bounds)


@given(STRETCHES, st.integers(1, 1000))
def test_pieces_hold_every_row_once_in_order_and_cross_no_end_of_a_stretch(
    stretches: list[list[int]], bases: int
) -> None:
    offsets, bounds = rows_of(stretches)
    pieces = cut(offsets, bounds, bases)
    assert np.concatenate(pieces).tolist() == list(range(len(offsets) - 1))
    for rows in pieces:
        assert len(np.unique(bounds[rows], axis=0)) == 1
        assert len(rows) == 1 or offsets[rows[-1] + 1] - offsets[rows[0]] <= bases


@given(STRETCHES, st.integers(1, 4000))
def test_as_many_pieces_are_spread_as_hold_the_bases(stretches: list[list[int]], bases: int) -> None:
    offsets, bounds = rows_of(stretches)
    pieces = cut(offsets, bounds, 300)
    chosen = spread(pieces, offsets, bases)
    assert 1 <= len(chosen) <= len(pieces)
    if bases >= offsets[-1]:
        assert len(chosen) == len(pieces)
    firsts = [int(rows[0]) for rows in chosen]
    assert firsts == sorted(set(firsts))


@given(st.integers(1, 9), st.integers(1, 4))
def test_each_piece_is_one_workers(count: int, workers: int) -> None:
    pieces = [np.array([number]) for number in range(count)]
    taken = [number for rank in range(workers) for number, _ in dealt(pieces, workers, rank)]
    assert sorted(taken) == list(range(count))
