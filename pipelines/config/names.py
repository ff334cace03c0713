"""Types of keys that hold names: of one or several things, or of a share in their place."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pipelines.documents.yaml_reader import PlainFloat

NAME = r"^[A-Za-z0-9._-]+$"
"""What the name of a genome or a collection matches."""
NAME_CHARACTERS = "letters A to Z and a to z, digits, '.', '_' and '-'"
"""The characters that such a name may have, for people."""


def as_list(value: Any) -> Any:
    """A value that is given alone, in a list."""
    return value if isinstance(value, list | tuple) else [value]


def _as_name(item: Any) -> str:
    """A name as it was written."""
    if isinstance(item, PlainFloat):
        return item.text
    if isinstance(item, str | int) and not isinstance(item, bool):
        return str(item)
    if isinstance(item, bool | float):
        raise ValueError(f"{item!r} in place of a name; if it is one, quote it")
    if item is None:
        raise ValueError("null or nothing in place of a name; if it is one, quote it")
    raise ValueError("a list or mapping in place of a name; give names in one list")


def _as_names(value: Any) -> list[str]:
    return [_as_name(item) for item in as_list(value)]


def _as_share_or_list(value: Any) -> Any:
    """Normalise a share to a number below 1, and names to a list of text.

    A whole number of 1 or more is the name of a chromosome, and so is an unquoted 3.10 in a list.
    """
    is_list = isinstance(value, list | tuple)
    items = list(value) if is_list else [value]
    numbers = [item for item in items if isinstance(item, float) and not _is_name(item, is_listed=is_list)]
    if numbers:
        if len(items) > 1:
            raise ValueError("a share is a single number; to name a chromosome with a decimal point, quote it")
        if numbers[0] >= 1:
            raise ValueError("a share must be below 1; to name a chromosome with a decimal point, quote it")
        if is_list and isinstance(numbers[0], PlainFloat):
            raise ValueError(
                f"[{numbers[0]}] could be a share or a name; write a share without brackets, or quote a name"
            )
        return numbers[0]
    is_name = is_list or isinstance(value, str | PlainFloat) or (type(value) is int and value >= 1)
    return _as_names(items) if is_name else value


def _is_name(number: float, *, is_listed: bool) -> bool:
    """Whether an unquoted fraction in place of a share or names can only be a name."""
    return isinstance(number, PlainFloat) and number >= 1 and (is_listed or "." not in number.text)


Names = Annotated[list[str], BeforeValidator(_as_names)]

ShareOrList = Annotated[
    Annotated[float, Field(ge=0, lt=1)] | list[str],
    BeforeValidator(_as_share_or_list),
]
