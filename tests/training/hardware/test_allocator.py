from __future__ import annotations

import pytest

from training.hardware import allocator


def test_segments_grow_where_the_user_has_not_decided() -> None:
    environment: dict[str, str] = {}
    assert allocator.let_segments_grow(environment, None)
    assert environment == {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}


@pytest.mark.parametrize("name", allocator.VARIABLES)
def test_what_the_user_has_set_stays(name: str) -> None:
    environment = {name: "max_split_size_mb:128"}
    assert not allocator.let_segments_grow(environment, None)
    assert environment == {name: "max_split_size_mb:128"}


@pytest.mark.parametrize(("rocm", "expected"), [("6.4.2", False), ("7.0.1", True)])
def test_rocm_has_them_from_7_on(rocm: str, expected: bool) -> None:
    assert allocator.let_segments_grow({}, rocm) == expected
