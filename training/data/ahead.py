"""Items made by a thread of their own before they are needed, such as the batches of a GPU while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
_END: Any = object()


@contextmanager
def made_ahead(items: Iterable[Item], most: int) -> Iterator[Iterator[Item]]:
    """The same items in the same order, up to `most` of them made before they are needed.

    What making an item raises is raised where it is needed, and nothing is made after it. The end of the block waits
    for the item that is being made, and makes no other.

    Args:
        items: iterated over by the thread alone.
        most: items in memory that were not taken yet; at least 1.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        pending: deque[Future[Item]] = deque(thread.submit(next, source, _END) for _ in range(most))

        def asked_for() -> Iterator[Item]:
            while (item := pending.popleft().result()) is not _END:
                pending.append(thread.submit(next, source, _END))
                yield item

        try:
            yield asked_for()
        finally:
            for future in pending:
                future.cancel()
