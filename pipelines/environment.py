"""The variables of this process's environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


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
