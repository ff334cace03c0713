"""Functions compiled by Numba at their first call, kept on disk where that can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called; the compiled code is kept for other processes if it can be.

    Numba writes it beside the module, or else into the user's cache directory or NUMBA_CACHE_DIR. Where none of them
    can be written, as in a read-only installation without a home, every process compiles for itself.
    """
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


part: Any = numba.njit(nogil=True)
"""For functions that only compiled ones call: they are compiled, and kept, as a part of those."""

inlined: Any = numba.njit(inline="always")
"""For functions of many arguments in an inner loop, where the call alone would take most of the time."""
