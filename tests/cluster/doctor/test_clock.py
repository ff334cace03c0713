from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from cluster.doctor.clock import Reading, now, read


@given(off=st.floats(-1e4, 1e4), there=st.floats(0, 10), back=st.floats(0, 10))
def test_the_true_error_lies_between_the_least_and_the_most(off: float, there: float, back: float) -> None:
    reading = Reading(1e9, 1e9 + there + off, 1e9 + there + back)
    assert reading.least <= abs(off) + 1e-5
    assert abs(off) <= reading.most + 1e-5


def test_of_several_answers_the_fastest_counts() -> None:
    pauses = iter([0.05, 0.0, 0.05])

    def ask() -> float:
        time.sleep(next(pauses))
        return now()

    reading = read(ask)
    assert reading.least == 0
    assert reading.heard - reading.asked < 0.05
