"""What the type of a configuration key means for its flag: how many values it takes, its help, and their parsing."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from cluster.paths.path_keys import is_path
from pipelines.documents import yaml_reader
from training.model_registry import RegisteredKind

_BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
_METAVARS = ((int, "N"), (float, "X"), (bool, "true|false"))


def takes_many(field: FieldInfo) -> bool:
    """Whether a flag takes several values, as that of a list or a mapping does."""
    return any(get_origin(member) in (list, dict) for member in _members(field.annotation))


def metavar(field: FieldInfo) -> str:
    """What stands for a key's value in the help: its choices, or its type."""
    members = list(_members(field.annotation))
    registered = [item.choices() for item in field.metadata if isinstance(item, RegisteredKind)]
    if choices := registered[0] if registered else _choices(members):
        return "{" + ",".join(choices) + "}"
    if takes_many(field):
        return "SHARE|NAME" if float in members else "NAME"
    for kind, name in _METAVARS:
        if kind in members:
            return name
    return "PATH" if is_path(field) else "NAME"


def help_text(field: FieldInfo) -> str:
    """A key's description, bounds and default, ready for argparse."""
    bounds = [
        f"{word} {getattr(item, name):g}"
        for item in field.metadata
        for name, word in _BOUNDS
        if getattr(item, name, None) is not None
    ]
    facts = [" and ".join(bounds)] if bounds else []
    if not field.is_required() and field.default is not None:
        default = field.default
        facts.append(f"default {' '.join(default) if isinstance(default, list | dict) else default}")
    text = (field.description or "") + (f" ({'; '.join(facts)})" if facts else "")
    return text.replace("%", "%%")


def parse_value(raw: str | list[str], field: FieldInfo) -> Any:
    """A flag's value as the experiment file would have it, ready for validation.

    Args:
        raw: as typed; a list for a flag that takes several values.
        field: of the key.
    """
    members = list(_members(field.annotation))
    if isinstance(raw, list):
        # The one value of a key that takes a share or names may be a share. A whole number is a name, except 0.
        value = parse_scalar(raw[0]) if float in members and len(raw) == 1 else None
        is_text = isinstance(value, str) and (value == raw[0] or raw[0][:1] in {'"', "'"})
        return value if is_text or isinstance(value, float) or raw == ["0"] else raw
    return raw if members == [str] else parse_scalar(raw)


def parse_scalar(text: str) -> Any:
    """A value as the experiment file would have it; what is not YAML is text."""
    try:
        return yaml_reader.parse(text)
    except yaml.YAMLError:
        return text


def _members(annotation: Any) -> Iterator[Any]:
    """The members of a union without None, or the type itself; what annotates them is left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif annotation is not NoneType:
        yield annotation


def _choices(members: list[Any]) -> list[str]:
    """The values of the first literal among types, or among the items of their lists and keys of their mappings."""
    for member in members:
        for part in (member, *get_args(member)):
            if get_origin(part) is Literal:
                return [str(choice) for choice in get_args(part)]
    return []
