"""Compilation where nothing can be kept on disk."""

from __future__ import annotations

from typing import Any

import numba
import pytest

from training.compiled import compiled


def test_without_a_folder_to_write_functions_are_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def without_folder(*args: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*args, **options)

    monkeypatch.setattr(numba, "njit", without_folder)

    @compiled
    def doubled(value):  # type: ignore[no-untyped-def]
        return 2 * value

    assert doubled(21) == 42
