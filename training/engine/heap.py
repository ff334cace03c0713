"""What becomes of memory that is freed while a model trains: it stays with the process, or it goes back at once.

Every batch has other lengths, so PyTorch's CPU tensors are allocated and freed anew in each. The C library hands large blocks
back to the system, which clears every page before it gives it out again: a third of the time of an LSTM's training step.
Kept, they are used again. The process stays at its peak meanwhile, which gaps between blocks raise by up to twice what a step
needs and `PAD`, and gives all back afterwards. GNU's C library only; blocks of more than 64 MiB in a thread other than the first
are not kept unless all threads share one heap (`MALLOC_ARENA_MAX=1` before the process starts).

Where memory is scarce, every block of a mebibyte and more goes back at once: the process then holds what is in use and little
more. Left to itself the library keeps blocks of up to 32 MiB in a heap whose gaps, as many as the steps make, do not fit the
next tensor of the same size.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# <malloc.h>
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_DEFAULT_MAPPED = 65_536
_DEFAULT_PAD = 128 << 10
# Twice the heap of a thread other than the first, which would otherwise be dropped whenever it is empty.
PAD = 128 << 20
# Where the library's own adjustment of the threshold ends.
_LARGEST = 32 << 20
_ALL = (1 << 31) - 1
_SPARED = 1 << 20


@contextmanager
def kept() -> Iterator[None]:
    """Let freed blocks stay with the process within the block; give them back at its end."""
    library = _library()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_MAX, 0)
    library.mallopt(_TRIM_THRESHOLD, _ALL)
    library.mallopt(_TOP_PAD, PAD)
    try:
        yield
    finally:
        library.mallopt(_TOP_PAD, _DEFAULT_PAD)
        library.mallopt(_MMAP_MAX, _DEFAULT_MAPPED)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST)
        library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST)
        library.malloc_trim(0)


@contextmanager
def spared() -> Iterator[None]:
    """Give freed blocks back to the system at once within the block."""
    library = _library()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, _SPARED)
    library.mallopt(_TRIM_THRESHOLD, 2 * _SPARED)
    try:
        yield
    finally:
        library.mallopt(_MMAP_THRESHOLD, _LARGEST)
        library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST)


def _library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
