from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from training.scan.grid import Grid

GRIDS = st.integers(1, 60).flatmap(lambda window: st.builds(Grid, st.just(window), st.integers(1, window)))
# No sequence is shorter than a window.
LENGTHS = st.integers(60, 300)


def means_by_hand(grid: Grid, length: int, score: dict[int, float]) -> list[float]:
    """Each bin's mean over the windows that cover its middle, by loops."""
    size, means = grid.window, []
    for start in range(0, length, grid.stride):
        end = min(start + grid.stride, length)
        middle = (start + end - 1) // 2
        over = [value for first, value in score.items() if first <= middle < first + size and not np.isnan(value)]
        means.append(float(np.mean(over)) if over else float("nan"))
    return means


def windows_by_hand(grid: Grid, length: int) -> list[int]:
    return sorted({*range(0, length - grid.window + 1, grid.stride), length - grid.window})


@given(GRIDS, LENGTHS, st.integers(0, 2**32 - 1))
def test_a_bin_is_the_mean_of_the_windows_over_its_middle(grid: Grid, length: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    starts = grid.starts(length, 0, grid.bins(length))
    scores = np.where(generator.random(len(starts)) < 0.2, np.nan, generator.random(len(starts)))
    actual = grid.means(starts, scores, grid.middles(length, 0, grid.bins(length)))
    expected = means_by_hand(grid, length, dict(zip(starts.tolist(), scores.tolist(), strict=True)))
    np.testing.assert_allclose(actual, expected, atol=1e-12)


@given(GRIDS, LENGTHS, st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_bins_scored_in_pieces_are_those_of_the_whole(grid: Grid, length: int, seed: int, piece: int) -> None:
    value = np.random.default_rng(seed).random(length)
    bins = grid.bins(length)

    def scored(first: int, last: int) -> list[float]:
        starts = grid.starts(length, first, last)
        return grid.means(starts, value[starts], grid.middles(length, first, last)).tolist()

    parts = [scored(first, min(first + piece, bins)) for first in range(0, bins, piece)]
    np.testing.assert_allclose([score for part in parts for score in part], scored(0, bins), atol=1e-12)


@given(GRIDS, LENGTHS)
def test_every_bin_of_a_sequence_has_a_window_and_every_window_lies_within(grid: Grid, length: int) -> None:
    starts = grid.starts(length, 0, grid.bins(length))
    assert set(starts.tolist()) <= set(windows_by_hand(grid, length))
    counts = grid.means(starts, np.ones(len(starts)), grid.middles(length, 0, grid.bins(length)))
    assert (counts == 1).all()


def test_the_last_window_is_flush_with_the_end() -> None:
    assert Grid(40, 10).starts(105, 0, 11).tolist() == [0, 10, 20, 30, 40, 50, 60, 65]


@pytest.mark.parametrize("stride", [0, 41])
def test_a_stride_of_0_or_beyond_the_window_is_refused(stride: int) -> None:
    with pytest.raises(UsageError, match="not from 1 to the window of 40"):
        Grid(40, stride)
