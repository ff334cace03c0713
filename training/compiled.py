"""Functions compiled by Numba at their first call, kept on disk where that can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

VECTORISED: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "nsz", "arcp"}}
"""For loops over vectors: products may be fused with sums, and a division by zero raises nothing."""


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function when it is first called; the compiled code is kept for other processes if it can be.

    Numba writes it beside the module, or else into the user's cache directory or NUMBA_CACHE_DIR. Where none of them
    can be written, as in a read-only installation without a home, every process compiles for itself.

    Args:
        function: of Python, in Numba's subset of it.
        options: of `numba.njit`, such as `VECTORISED`.
    """
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **options)(function)


def vectorised(function: Callable[..., Any]) -> Any:
    """Compile a function of loops over vectors, as `compiled` does."""
    return compiled(function, **VECTORISED)


part: Any = numba.njit(nogil=True)
"""For functions that only compiled ones call: they are compiled, and kept, as a part of those."""

vectorised_part: Any = numba.njit(nogil=True, **VECTORISED)
"""As `part`, for functions that only vectorised ones call."""

inlined: Any = numba.njit(inline="always")
"""For functions of many arguments in an inner loop, where the call alone would take most of the time."""
