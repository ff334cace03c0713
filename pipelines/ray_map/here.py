"""A block in which maps over tables run in this process, one table after another, whether Ray is connected or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_here: ContextVar[bool] = ContextVar("raygene_maps_here", default=False)


@contextmanager
def in_this_process() -> Iterator[None]:
    """Have maps of the block, on this thread, run in this process. It stands for a `connect` that opens Ray."""
    token = _is_here.set(True)
    try:
        yield
    finally:
        _is_here.reset(token)


def maps_here() -> bool:
    """Whether this is such a block."""
    return _is_here.get()
