from __future__ import annotations

import os

import pytest

from pipelines.environment import size_limit, with_defaults
from pipelines.errors import UsageError


def test_variables_are_set_for_a_block_and_those_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_USER", "1")
    monkeypatch.delenv("OF_BLOCK", raising=False)
    before = dict(os.environ)
    with with_defaults({"OF_USER": "0", "OF_BLOCK": "0"}):
        assert (os.environ["OF_USER"], os.environ["OF_BLOCK"]) == ("1", "0")
    assert dict(os.environ) == before


@pytest.mark.parametrize(("value", "expected"), [("0", 0), ("0.5", 1 << 29), ("2", 2 << 30), ("inf", float("inf"))])
def test_a_limit_is_read_in_gib(value: str, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_GIB", value)
    assert size_limit("SOME_GIB", 16) == expected
    monkeypatch.delenv("SOME_GIB")
    assert size_limit("SOME_GIB", 16) == 16 << 30


@pytest.mark.parametrize("value", ["much", "nan", "-1", "-inf", ""])
def test_a_limit_that_bounds_nothing_is_refused_with_the_default_as_an_example(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_GIB", value)
    with pytest.raises(UsageError, match=rf"^SOME_GIB={value}: not a number of at least 0: set .* GiB, such as 16$"):
        size_limit("SOME_GIB", 16.0)
