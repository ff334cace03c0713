"""The row groups of a split's files, decoded by several threads at once: where each lies, and its rows in order.

Each thread decodes and checks a row group, which is released to the interpreter's other threads for most of the time.
Memory is that of two row groups for each thread.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from pipelines.dataset import row_checks
from pipelines.dataset.parts import REBUILD, Part
from pipelines.dataset.row_checks import RowSchema
from pipelines.errors import DatasetError

MOST_THREADS = 16
"""More would read a disk no faster."""

Result = TypeVar("Result")
Item = TypeVar("Item")


@dataclass(frozen=True)
class RowGroup:
    """A row group of a file.

    Attributes:
        part: the file.
        number: of the row group in it.
        first: place of its first token among those of the split.
        tokens: how many it has.
        ends_part: whether it is the file's last one.
    """

    part: Part
    number: int
    first: int
    tokens: int
    ends_part: bool


@dataclass(frozen=True)
class Layout:
    """The row groups of a split in order.

    Attributes:
        kind: type of the token ids.
        groups: all of them.
        rows, tokens: of all.
    """

    kind: pa.DataType
    groups: list[RowGroup]
    rows: int
    tokens: int

    @classmethod
    def of(cls, parts: Sequence[Part], row_schema: RowSchema) -> Layout:
        """The layout of files, from their metadata and counts.

        Raises:
            DatasetError: a file cannot be read, has other columns or counts than the manifest or the first one's
                type of token ids.
        """
        kinds = [row_checks.token_type(part, row_schema) for part in parts]
        if different := next((part for part, kind in zip(parts, kinds, strict=True) if kind != kinds[0]), None):
            raise DatasetError(f"{different.path}: its token ids are not {kinds[0]} as in {parts[0].path}", REBUILD)
        groups: list[RowGroup] = []
        rows = first = 0
        for part in parts:
            sizes = row_checks.row_group_sizes(part)
            for number, (count, tokens) in enumerate(sizes):
                groups.append(RowGroup(part, number, first, tokens, ends_part=number == len(sizes) - 1))
                rows, first = rows + count, first + tokens
        return cls(kinds[0], groups, rows, first)

    def decode(
        self, row_schema: RowSchema, vocabulary_size: int | None, use: Callable[[RowGroup, pa.Table], Result]
    ) -> Iterator[tuple[RowGroup, Result]]:
        """Decode and check all row groups, several at once, and yield what becomes of them in order.

        Args:
            row_schema: gives the schema for the type of the ids.
            vocabulary_size: the number of token ids; None if it is not known.
            use: called with each row group and its rows, in a thread and in any order.

        Raises:
            DatasetError: a file is damaged, or a row is not one that `build` writes.
        """
        names = row_schema(self.kind).names

        def decoded(group: RowGroup) -> tuple[RowGroup, Result]:
            rows = row_checks.checked_row_group(group.part, group.number, names, vocabulary_size)
            row_checks.require_tokens(group.part, rows, group.tokens)
            return group, use(group, rows)

        return in_order(decoded, self.groups)


def in_order(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """What a function returns for each item, computed by several threads and yielded in the order of the items."""
    threads = thread_count()
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) == 2 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


@contextmanager
def verified(parts: Sequence[Part]) -> Iterator[None]:
    """`Part.verified` of all files, which are hashed by several threads."""
    with ExitStack() as stack:
        for _ in in_order(lambda part: stack.enter_context(part.verified()), parts):
            pass
        yield


def thread_count() -> int:
    """How many threads decode: one for each CPU of this process, `MOST_THREADS` at most."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cpus, MOST_THREADS)
