from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from pipelines.genome.gff.containment import Containment

interval = st.tuples(st.integers(0, 30), st.integers(1, 15)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(interval, max_size=12), interval)
def test_the_first_that_holds_an_interval_is_that_of_a_plain_loop(
    intervals: list[tuple[int, int]], inner: tuple[int, int]
) -> None:
    holding = (number for number, (start, end) in enumerate(intervals) if start <= inner[0] and inner[1] <= end)
    assert Containment(intervals).first(*inner) == next(holding, None)


def test_a_hundred_thousand_neighbours_are_not_searched_one_by_one() -> None:
    intervals = [(100 * number, 100 * number + 90) for number in range(100_000)]
    search = Containment(intervals)
    began = time.process_time()
    assert [search.first(start + 10, end - 10) for start, end in intervals] == [*range(len(intervals))]
    assert time.process_time() - began < 5
