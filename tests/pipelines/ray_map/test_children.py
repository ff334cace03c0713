from __future__ import annotations

import os
from contextlib import closing

import pytest

from pipelines.errors import ResourceError
from pipelines.ray_map.children import map_in_children


def test_results_are_in_the_order_of_the_items_and_of_other_processes() -> None:
    # The first takes longest.
    items = [f"(__import__('time').sleep({0.2 - number / 50}), {number}, os.getpid())" for number in range(9)]
    numbers, processes = [], set()
    for _, number, process in map_in_children(eval, [f"[{item} for os in [__import__('os')]][0]" for item in items], 2):
        numbers.append(number)
        processes.add(process)
    assert numbers == list(range(9))
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_an_error_is_raised_with_where_it_was_and_ends_the_children() -> None:
    with closing(map_in_children(eval, ["__import__('os').getpid()", "1 / 0"], 1)) as results:
        process = next(results)
        with pytest.raises(ZeroDivisionError, match="division by zero") as raised:
            next(results)
    assert "<string>" in raised.value.__notes__[0]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_child_that_dies_is_an_error() -> None:
    with pytest.raises(ResourceError, match="a process of this machine died: free memory"):
        list(map_in_children(eval, ["__import__('os')._exit(9)"], 1))
