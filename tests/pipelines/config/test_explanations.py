from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from pipelines.config import explanations
from pipelines.config.names import NAME, NAME_CHARACTERS


class Keys(BaseModel):
    """A key of each kind that sections have."""

    count: int = Field(default=1_000, ge=1_000, lt=2_000_000)
    share: float = Field(default=0.5, gt=0, le=1, allow_inf_nan=False)
    name: str = Field(default="a", pattern=NAME)
    text: str = Field(default="a", min_length=1)
    values: list[int] = Field(default=[1, 2], min_length=2, max_length=3)
    pair: tuple[int, int] = (1, 2)
    flag: bool = False
    choice: Literal["a", "b"] = "a"
    either: int | list[str] = 1
    keys: dict[str, int] = Field(default={})


def errors_of(key: str, value: Any) -> list[ErrorDetails]:
    with pytest.raises(ValidationError) as caught:
        Keys.model_validate({key: value})
    return caught.value.errors()


@pytest.mark.parametrize(
    ("key", "value", "problem", "fix"),
    [
        ("count", "x", "'x'", "give a whole number"),
        ("count", 1_500.5, "1500.5", "give a whole number"),
        ("count", None, "empty or null", "give a whole number"),
        ("count", 10, "10: too small", "give 1,000 or more"),
        ("count", 2_000_000, "2000000: too large", "give less than 2,000,000"),
        pytest.param("count", "9" * 5_000, f"'{'9' * 79}…: too large", "give a smaller number", id="digits"),
        pytest.param(
            *("count", 10**5_000, "a number of thousands of digits: too large", "give less than 2,000,000"), id="huge"
        ),
        ("share", 0, "0: too small", "give more than 0"),
        ("share", 1.5, "1.5: too large", "give 1 or less"),
        ("share", float("inf"), "inf", "give a finite number"),
        ("share", [0.5], "a list", "give a number"),
        ("name", "a b", "'a b': not a name", f"use {NAME_CHARACTERS}"),
        ("name", None, "empty or null", "give text; if it is a name, quote it"),
        ("text", "", "empty", "give text"),
        ("values", [], "empty", "give 2 or more"),
        ("values", [1], "too few values", "give 2 or more"),
        ("values", [1, 2, 3, 4], "too many values", "give 3"),
        ("values", "x" * 100, f"'{'x' * 79}…", "give a list"),
        ("flag", 3, "3", "give true or false"),
        ("choice", "c", "'c'", "choose 'a' or 'b'"),
        ("either", {}, "a mapping", "give a whole number or a list"),
        ("keys", 1, "1", "give a mapping of keys to values"),
    ],
)
def test_a_wrong_value_is_shown_with_what_to_give(key: str, value: Any, problem: str, fix: str) -> None:
    assert explanations.explained(errors_of(key, value)) == (problem, fix)


def test_an_empty_key_that_may_be_left_out_says_so() -> None:
    fixes = [explanations.explained(errors_of(key, None), is_optional=True)[1] for key in ("choice", "name")]
    assert fixes == [
        "choose 'a' or 'b', or leave the key out",
        "give text, or leave the key out; if it is a name, quote it",
    ]


def test_a_list_that_lacks_its_last_items_is_told_how_many_it_has() -> None:
    assert explanations.too_few(errors_of("pair", [])) == ("too few values", "give 2")
    assert explanations.too_few(errors_of("pair", [1])) == ("too few values", "give 2")
