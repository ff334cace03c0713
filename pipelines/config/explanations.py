"""What pydantic finds wrong with a value, in plain words and with what to give in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from pipelines.config.names import NAME, NAME_CHARACTERS
from pipelines.documents.yaml_reader import PlainFloat

MISSING = "missing"
"""The type of the error of a key, or an item of a list, that is not there."""
_MAX_SHOWN = 80
_WHOLE, _NUMBER, _BOOLEAN, _KEYS = "a whole number", "a number", "true or false", "a mapping of keys to values"
_WANTED = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "a finite number",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "string_type": "text",
    "string_unicode": "text in UTF-8",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": _KEYS,
    "model_type": _KEYS,
}
"""The types of errors of a value of another type, to what is to be given."""
_BOUNDS = {
    "greater_than_equal": ("ge", "too small", "give {} or more"),
    "greater_than": ("gt", "too small", "give more than {}"),
    "less_than_equal": ("le", "too large", "give {} or less"),
    "less_than": ("lt", "too large", "give less than {}"),
}
"""The types of errors of a number that is out of range, to the bound's name, the problem and the fix."""


def explained(errors: Sequence[ErrorDetails], *, is_optional: bool = False) -> tuple[str, str]:
    """The problem with a value, with the value if it is short, and the fix; empty if the problem says it.

    Args:
        errors: about one key: one, or one for each of the types that the key takes.
        is_optional: whether the key may be left out.
    """
    first = errors[0]
    kind, value, context = first["type"], first.get("input"), first.get("ctx", {})
    if kind in _WANTED or kind == "literal_error":
        wanted = dict.fromkeys(_WANTED[error["type"]] for error in errors if error["type"] in _WANTED)
        fix = f"give {' or '.join(wanted)}" if wanted else f"choose {context['expected']}"
        if value is None:
            fix += ", or leave the key out" if is_optional else ""
            fix += "; if it is a name, quote it" if kind == "string_type" else ""
        return _described(value), fix
    problem, fix = _problem_and_fix(kind, context, first["msg"].removeprefix("Value error, "))
    is_shown = isinstance(value, str | int | float) and kind != "string_too_short"
    return f"{shortened(value)}: {problem}" if is_shown else problem, fix


def _problem_and_fix(kind: str, context: Mapping[str, Any], message: str) -> tuple[str, str]:
    if kind in _BOUNDS:
        name, problem, fix = _BOUNDS[kind]
        bound = context[name]
        return problem, fix.format(f"{int(bound) if bound == int(bound) else bound:,}")
    if kind == "int_parsing_size":
        return "too large", "give a smaller number"
    if kind == "string_pattern_mismatch" and context["pattern"] == NAME:
        return "not a name", f"use {NAME_CHARACTERS}"
    if kind == "string_too_short":
        return "empty", "give text"
    if kind == "too_short":
        least = context["min_length"]
        return "too few values" if context["actual_length"] else "empty", f"give {least:,} or more"
    if kind == "too_long":
        return "too many values", f"give {context['max_length']:,}"
    return message[0].lower() + message[1:], ""


def too_few(errors: Sequence[ErrorDetails]) -> tuple[str, str]:
    """The problem with a list that lacks its last items, and the fix.

    Args:
        errors: the missing items of one list.
    """
    return "too few values", f"give {max(int(error['loc'][-1]) for error in errors) + 1:,}"


def _described(value: Any) -> str:
    """A value of a wrong type, in a word if it is long."""
    if value is None:
        return "empty or null"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else shortened(value)


def shortened(value: Any) -> str:
    """A value as in Python, cut where it is longer than a line of a message."""
    try:
        text = value.text if isinstance(value, PlainFloat) else repr(value)
    except ValueError:  # Python refuses to write whole numbers of more than 4,300 digits.
        return "a number of thousands of digits"
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
