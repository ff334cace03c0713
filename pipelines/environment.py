"""The variables of this process's environment."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipelines.errors import UsageError


@contextmanager
def with_defaults(variables: Mapping[str, str]) -> Iterator[None]:
    """Set those variables that are not set yet, while the block lasts."""
    unset = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(unset)
    try:
        yield
    finally:
        for name in unset:
            os.environ.pop(name, None)


def size_limit(name: str, default_gib: float) -> float:
    """How many bytes a variable allows, which holds a number of GiB; infinity for `inf`.

    Args:
        name: of the variable.
        default_gib: its value where it is not set.

    Raises:
        UsageError: it is not a number, or below 0.
    """
    value = os.environ.get(name, str(default_gib))
    try:
        gib = float(value)
    except ValueError:
        gib = math.nan
    if not gib >= 0:
        raise UsageError(
            f"{name}={value}: not a number of at least 0", f"set it to a number of GiB, such as {default_gib:g}"
        )
    return gib * 2**30
