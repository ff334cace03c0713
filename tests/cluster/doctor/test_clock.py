from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event

from hypothesis import given
from hypothesis import strategies as st

from cluster.doctor.clock import Reading, now, read


@given(error=st.floats(-1e4, 1e4), before=st.floats(0, 10), after=st.floats(0, 10))
def test_the_true_error_lies_between_the_least_and_the_most(error: float, before: float, after: float) -> None:
    # The clock is read `before` seconds after the request was sent, and `after` seconds before the answer arrives.
    reading = Reading(1e9, 1e9 + before + error, 1e9 + before + after)
    assert reading.min_skew <= abs(error) + 1e-5
    assert abs(error) <= reading.max_skew + 1e-5


def arrived(futures: list[Future[float]], seconds: float) -> list[Future[float]]:
    return [*wait(futures, seconds, FIRST_COMPLETED).done]


def value_of(future: Future[float]) -> float | None:
    return None if future.exception() else future.result()


def test_of_several_answers_the_fastest_counts() -> None:
    pauses = iter([0.05, 0.0, 0.05])

    def slow() -> float:
        time.sleep(next(pauses))
        return now()

    with ThreadPoolExecutor() as pool:
        (reading,) = read([lambda: pool.submit(slow)], arrived, value_of, 60)
    assert reading is not None
    assert reading.min_skew == 0
    assert reading.received - reading.sent < 0.05


def test_a_clock_that_is_silent_or_fails_has_no_reading_and_costs_the_others_nothing() -> None:
    release = Event()

    def silent() -> float:
        release.wait()
        return now()

    def failing() -> float:
        raise OSError

    with ThreadPoolExecutor() as pool:
        requests = [partial(pool.submit, answer) for answer in (silent, now, failing)]
        readings = read(requests, arrived, value_of, 0.5)
        release.set()
    assert [reading is not None for reading in readings] == [False, True, False]
