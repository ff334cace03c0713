"""Paths among the values of an experiment: which fields hold them, and what they are when taken relative to a folder.

Values of a path field may stand in `tuning.space` as well, where they are searched or are conditions.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from pipelines.errors import UsageError

LISTS = ("grid", "choice")
Change = Callable[[str, Any], Any]


def is_path(field: FieldInfo) -> bool:
    """Whether a field of a section holds a path or an address."""
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("path"))


def absolute(value: Any, folder: Path) -> Any:
    """A path as an absolute one, taken relative to a folder; a URI, and what is no text, as it is.

    Raises:
        UsageError: `~name` of a user without a home.
    """
    if not isinstance(value, str) or "://" in value:
        return value
    try:
        return str((folder / Path(value).expanduser()).absolute())
    except RuntimeError as error:
        raise UsageError(f"{value}: nobody here has that home folder", "write the path in full") from error


def in_space(space: Any, change: Change) -> Any:
    """A copy of `tuning.space` with every single value changed; what is no space is left for its validation to refuse.

    Args:
        space: key to a list or a domain; as flags, `KEY=YAML` each.
        change: gives a value for a key and the value it has.
    """
    if isinstance(space, list):
        pairs = [str(one).partition("=") for one in space]
        if not all(equals for _, equals, _ in pairs):
            return space
        try:
            space = {key: yaml.safe_load(text) for key, _, text in pairs}
        except yaml.YAMLError:
            return space
    if not isinstance(space, Mapping):
        return space
    return {key: _in_domain(str(key), domain, change) for key, domain in space.items()}


def _in_domain(key: str, domain: Any, change: Change) -> Any:
    if not isinstance(domain, Mapping):
        return _each(key, domain, change)
    changed: dict[Any, Any] = copy.deepcopy(dict(domain))
    for kind in LISTS:
        if kind in changed:
            changed[kind] = _each(key, changed[kind], change)
    if isinstance(when := changed.get("when"), Mapping):
        changed["when"] = {other: _each(str(other), value, change) for other, value in when.items()}
    return changed


def _each(key: str, value: Any, change: Change) -> Any:
    return [change(key, one) for one in value] if isinstance(value, list) else change(key, value)
