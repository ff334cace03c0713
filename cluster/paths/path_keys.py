"""Which keys of an experiment hold paths, and paths taken relative to a directory.

Values of such keys may also be in `tuning.space`, where they are searched or are conditions of other keys.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from pipelines.documents import yaml_reader
from pipelines.errors import UsageError

LISTS = ("grid", "choice")
"""Kinds of domains that list their values."""
Change = Callable[[str, Any], Any]
"""Gives the new value for a key and its value."""


def is_path(field: FieldInfo) -> bool:
    """Whether a field of a section holds a path or an address."""
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("path"))


def absolute(value: Any, directory: Path) -> Any:
    """A path made absolute, relative to a directory; an address, or a value that is no path, is returned as it is.

    A number is the name of a file.

    Raises:
        UsageError: `~name` of a user without a home directory.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or "://" in value:
        return value
    try:
        return str((directory / Path(value).expanduser()).absolute())
    except RuntimeError as error:
        raise UsageError(f"{value}: no user on this machine has that home directory", "write the full path") from error


def change_space(space: Any, change: Change) -> Any:
    """A copy of `tuning.space` with every single value changed; what is not a space is left for validation to refuse.

    Args:
        space: key to a list or a domain; as flags, a list of `KEY=YAML`.
        change: gives the new value for a key and its value.
    """
    if isinstance(space, list):
        pairs = [str(flag).partition("=") for flag in space]
        if not all(equals for _, equals, _ in pairs) or len({key for key, _, _ in pairs}) < len(pairs):
            return space
        try:
            space = {key: yaml_reader.parse(text) for key, _, text in pairs}
        except yaml.YAMLError:
            return space
    if not isinstance(space, Mapping):
        return space
    return {key: _change_domain(str(key), domain, change) for key, domain in space.items()}


def _change_domain(key: str, domain: Any, change: Change) -> Any:
    if not isinstance(domain, Mapping):
        return _change_values(key, domain, change)
    changed: dict[Any, Any] = copy.deepcopy(dict(domain))
    for kind in LISTS:
        if kind in changed:
            changed[kind] = _change_values(key, changed[kind], change)
    if isinstance(conditions := changed.get("when"), Mapping):
        changed["when"] = {other: _change_values(str(other), value, change) for other, value in conditions.items()}
    return changed


def _change_values(key: str, value: Any, change: Change) -> Any:
    return [change(key, item) for item in value] if isinstance(value, list) else change(key, value)
