from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from training.data.ahead import made_ahead


@pytest.mark.parametrize("most", [1, 3, 50])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_all_items_come_in_order(count: int, most: int) -> None:
    with made_ahead(iter(range(count)), most) as items:
        assert list(items) == list(range(count))


def test_items_are_made_on_another_thread_and_no_more_than_allowed() -> None:
    made: list[tuple[int, bool]] = []
    third = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(10):
            made.append((number, threading.current_thread() is threading.main_thread()))
            if number == 2:
                third.set()
            yield number

    with made_ahead(numbers(), 2) as items:
        assert next(items) == 0
        assert third.wait(timeout=60)
    assert len(made) <= 4
    assert not any(on_main for _, on_main in made)


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    with made_ahead(numbers(), 3) as items:
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(ValueError, match="the third"):
            next(items)


def test_an_error_of_the_reader_ends_the_thread() -> None:
    def read() -> None:
        with made_ahead(iter(range(1000)), 2) as items:
            raise KeyError(next(items))

    with pytest.raises(KeyError):
        read()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
