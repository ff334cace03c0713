from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from benchmarks.process.memory import MEBIBYTE, in_thread, status_bytes, times_returned, unique_bytes


def test_memory_of_a_process_grows_by_what_it_writes() -> None:
    process, size = Path("/proc/self"), 64 * MEBIBYTE
    before = unique_bytes(process), status_bytes("VmRSS")["VmRSS"]
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE) as pages:
        for page in range(0, size, mmap.PAGESIZE):
            pages[page] = 1
        after = unique_bytes(process), status_bytes("VmRSS")["VmRSS"]
    assert [round((late - early) / MEBIBYTE / 64, 1) for early, late in zip(before, after, strict=True)] == [1, 1]


def test_memory_is_returned_where_more_than_a_mebibyte_goes() -> None:
    assert times_returned([(10 * MEBIBYTE, 8 * MEBIBYTE), (8 * MEBIBYTE, 8 * MEBIBYTE - 1), (8, 9)]) == 1


def test_errors_of_a_thread_are_raised_in_the_caller() -> None:
    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        in_thread(fail)
