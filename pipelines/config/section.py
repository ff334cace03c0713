"""What every section of the configuration has in common: immutable, without unknown keys, and with bounded numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationInfo, field_validator

PATH: dict[str, JsonValue] = {"path": True}
# Marks a key of a later version. Datasets write it down only where it has another value than its default, so that all
# others keep their fingerprint.
LATER: dict[str, JsonValue] = {"later": True}
MAX_WHOLE, MAX_SEED = 10**15, 2**63 - 1
"""Largest whole numbers of keys: sums of a few numbers below 10^15 have room in 64 bits; seeds are not added up."""


def accepts(annotation: Any, kind: type) -> bool:
    """Whether an annotation, or a member of it if it is a union, is this type or any type."""
    return annotation in (kind, Any) or any(accepts(part, kind) for part in get_args(annotation))


class Section(BaseModel):
    """A part of the configuration: immutable, and without unknown keys."""

    # A value may hold a password, and a traceback shows pydantic's own messages: they leave values out.
    # Numbers are coerced to text for names such as 12.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
    )

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Earlier name of a key to its current one. An earlier name in an experiment is an error that gives the new one."""

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_no_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        # True is an int in Python, so that pydantic would take it for 1.
        if isinstance(value, bool) and not accepts(cls.model_fields[str(info.field_name)].annotation, bool):
            raise ValueError("true and false are no value of this key; quote a name")
        return value

    @field_validator("*")
    @classmethod
    def _whole_numbers_are_bounded(cls, value: Any, info: ValidationInfo) -> Any:
        largest = MAX_SEED if info.field_name == "seed" else MAX_WHOLE
        if type(value) is int and abs(value) > largest:
            raise ValueError(f"too large; give a number of at most {largest:,}")
        return value

    @classmethod
    def later_defaults(cls) -> dict[str, Any]:
        """The keys of later versions with their defaults, which a dataset that lacks them was built with."""
        return {name: field.default for name, field in cls.model_fields.items() if field.json_schema_extra == LATER}

    @classmethod
    def with_current_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of this section, as an earlier version may have stored them, under the current names of their keys."""
        return {cls.RENAMED.get(key, key): value for key, value in values.items()}

    @classmethod
    def with_first_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of this section under the first name of every key.

        Fingerprints are taken of these, so that renaming a key does not change them.
        """
        first_names = {current: first for first, current in cls.RENAMED.items()}
        return {first_names.get(key, key): value for key, value in values.items()}
