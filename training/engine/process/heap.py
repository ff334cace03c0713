"""What happens to memory that is freed while a model trains on a CPU: the process retains it, or releases it at once.

Every batch has other lengths, so PyTorch's CPU tensors are allocated and freed anew in each. By default the C library
returns large blocks to the system, which clears every page before it gives it out again: a third of the time of an
LSTM's training step. Retained, they are used again. The process then stays at its peak, which gaps between blocks raise
by several times what a step needs plus `TOP_PAD`, and returns all of it afterwards. The gaps grow for thousands of
steps: with an allowance they are returned whenever the process has grown by more. This works with GNU's C library only.
Blocks of more than 64 MiB in a thread other than the first are not retained unless all threads share one heap
(`MALLOC_ARENA_MAX=1` before the process starts).

Where memory is scarce, every block of a mebibyte or more is released at once, so that the process holds little more
than what is in use. By default the library would keep blocks of up to 32 MiB in a heap whose gaps, which every step
adds to, do not fit the next tensor of the same size.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

# <malloc.h>
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_DEFAULT_MMAP_MAX = 65_536
_DEFAULT_TOP_PAD = 128 << 10
# Twice the heap of a thread other than the first, which would otherwise be dropped whenever it is empty.
TOP_PAD = 128 << 20
# Up to here the library adjusts the threshold by itself.
_MAX_MMAP_THRESHOLD = 32 << 20
_NEVER_TRIM = (1 << 31) - 1
_RELEASE_FROM = 1 << 20
# Libraries load, and an optimizer makes its state, in the first of the steps after which what is held is measured.
_FIRST_STEPS = 2
# Returning takes about a third of a step, here and in the next one: no more often than every so many steps.
_FEWEST_STEPS = 30
_STATM = Path("/proc/self/statm")


class FreedMemory:
    """Freed memory that a process retains, returned to the system where it grows beyond an allowance.

    Args:
        trim: returns all that is free to the system.
        allowance: bytes that a step and what is freed of it may take; None: any number.
    """

    def __init__(self, trim: Callable[[], object] = lambda: None, allowance: int | None = None) -> None:
        self._trim, self._allowance = trim, allowance
        self._limit = 0
        self._steps = 0
        self._has_settled = False

    def settle(self) -> None:
        """Return what is free now; what the process holds after the next steps is what the allowance is added to."""
        if self._allowance is not None:
            self._trim()
            self._steps, self._has_settled = 0, False

    def step_ended(self) -> None:
        """Return what is free if the process has grown too much."""
        if self._allowance is None:
            return
        self._steps += 1
        if not self._has_settled:
            if self._steps == _FIRST_STEPS:
                self._trim()
                self._limit = resident_bytes() + self._allowance
                self._steps, self._has_settled = 0, True
        elif resident_bytes() > self._limit:
            self._trim()
            if self._steps < _FEWEST_STEPS:
                # Steps need more than was planned: it would be slow to return that after every few of them.
                self._limit += self._allowance // 16
            self._steps = 0


class _Released(FreedMemory):
    """Freed memory that a process does not retain."""

    def settle(self) -> None:
        self._trim()


def resident_bytes() -> int:
    """Resident memory of this process at present."""
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def retain_freed_memory(allowance: int | None = None) -> Iterator[FreedMemory]:
    """Let freed blocks stay with the process while the context lasts; return them to the system at its end.

    Args:
        allowance: as of `FreedMemory`.
    """
    library = _library()
    if library is None:
        yield FreedMemory()
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _NEVER_TRIM)
    library.mallopt(_TOP_PAD, TOP_PAD)
    try:
        yield FreedMemory(partial(library.malloc_trim, 0), allowance)
    finally:
        library.mallopt(_TOP_PAD, _DEFAULT_TOP_PAD)
        library.mallopt(_MMAP_MAX, _DEFAULT_MMAP_MAX)
        _restore_thresholds(library)
        library.malloc_trim(0)


@contextmanager
def release_freed_memory() -> Iterator[FreedMemory]:
    """Return freed blocks to the system at once while the context lasts, and small ones as it settles and at its end.

    A model that retained its memory in this process may have left gaps, which blocks of any size go into.
    """
    library = _library()
    if library is None:
        yield FreedMemory()
        return
    library.mallopt(_MMAP_THRESHOLD, _RELEASE_FROM)
    library.mallopt(_TRIM_THRESHOLD, 2 * _RELEASE_FROM)
    try:
        yield _Released(partial(library.malloc_trim, 0))
    finally:
        _restore_thresholds(library)
        library.malloc_trim(0)


def _restore_thresholds(library: ctypes.CDLL) -> None:
    library.mallopt(_MMAP_THRESHOLD, _MAX_MMAP_THRESHOLD)
    library.mallopt(_TRIM_THRESHOLD, 2 * _MAX_MMAP_THRESHOLD)


def _library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
