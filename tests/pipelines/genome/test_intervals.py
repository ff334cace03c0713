from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome import intervals

LENGTH = 60
lists = st.lists(st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 12)), max_size=12).map(
    lambda pairs: np.array([(start, min(start + size, LENGTH)) for start, size in pairs], np.int64).reshape(-1, 2)
)


def covered(array: np.ndarray) -> set[int]:
    return {base for start, end in array.tolist() for base in range(start, end)}


@given(lists)
def test_merge_covers_the_same_bases_without_overlap(array: np.ndarray) -> None:
    merged = intervals.merge(array)
    assert covered(merged) == covered(array)
    assert (merged[1:, 0] > merged[:-1, 1]).all()


@given(lists)
def test_gaps_are_the_bases_not_covered(array: np.ndarray) -> None:
    assert covered(intervals.gaps(intervals.merge(array), LENGTH)) == set(range(LENGTH)) - covered(array)


@given(lists, lists)
def test_overlaps_equals_a_base_by_base_check(array: np.ndarray, others: np.ndarray) -> None:
    flags = intervals.overlaps(array, intervals.merge(others))
    assert flags.tolist() == [bool(covered(array[row : row + 1]) & covered(others)) for row in range(len(array))]


@given(lists)
def test_overlapping_intervals_share_a_cluster(array: np.ndarray) -> None:
    cluster = intervals.clusters(array)
    for first in range(len(array)):
        for second in range(len(array)):
            if covered(array[first : first + 1]) & covered(array[second : second + 1]):
                assert cluster[first] == cluster[second]


def test_intervals_that_only_touch_merge_but_do_not_overlap() -> None:
    touching = np.array([[5, 10], [10, 12], [0, 2]])
    assert intervals.merge(touching).tolist() == [[0, 2], [5, 12]]
    assert intervals.overlaps(touching[:1], touching[1:2]).tolist() == [False]
    assert intervals.gaps(intervals.merge(touching), 12).tolist() == [[2, 5]]


def test_a_feature_across_the_origin_of_a_circle_lies_at_both_ends_and_is_cut_at_the_end_of_a_line() -> None:
    annotated = np.array([[2, 9], [55, 70], [60, 65], [70, 80]])
    assert intervals.within(annotated, LENGTH, is_circular=True).tolist() == [[2, 9], [55, 60], [0, 10]]
    assert intervals.within(annotated, LENGTH, is_circular=False).tolist() == [[2, 9], [55, 60]]


@given(lists, st.integers(0, 9))
def test_widened_intervals_stay_on_the_chromosome(array: np.ndarray, flank: int) -> None:
    wide = intervals.widen(array, flank, LENGTH)
    assert covered(array) <= covered(wide) <= set(range(LENGTH))
