from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.scan.orfs.schedule import best_set

INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(6, 20), st.integers(-3, 9)), max_size=8)


@given(INTERVALS, st.integers(0, 5))
def test_no_other_set_of_intervals_that_fit_has_a_larger_sum(
    intervals: list[tuple[int, int, int]], overlap: int
) -> None:
    starts, lengths, weights = (np.array([one[column] for one in intervals], np.int64) for column in range(3))
    ends = starts + lengths
    chosen = best_set(starts, ends, weights.astype(float), overlap).tolist()

    def fit(indices: tuple[int, ...]) -> bool:
        return all(
            min(ends[one], ends[other]) - max(starts[one], starts[other]) <= overlap
            for one, other in itertools.combinations(indices, 2)
        )

    subsets = (
        subset for size in range(len(intervals) + 1) for subset in itertools.combinations(range(len(intervals)), size)
    )
    assert fit(tuple(chosen))
    assert all(weights[index] > 0 for index in chosen)
    assert sum(weights[chosen]) == max(sum(weights[list(subset)]) for subset in subsets if fit(subset))
