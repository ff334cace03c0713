"""From plain values to typed sections, and the errors of what does not fit, with key and fix."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipelines.config.explanations import MISSING, explained, too_few
from pipelines.config.section import Section
from pipelines.errors import UsageError

WITH_KEY = "with_key"
"""The type of an error of a whole experiment that is about one key."""
_UNION_BRANCH = re.compile(r"\[|^(constrained-)?(float|int|str)$")

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """Build a typed configuration from plain values.

    Args:
        model: the section or experiment to build.
        values: nested mapping of keys to values.
        origin: the file (or "command line") to name in an error.

    Raises:
        UsageError: an unknown key (with the nearest known one), an earlier name of a key (with the current one), a
            wrong type or a value out of range. Its `key` is the dotted key, its `code` one of `unknown-key`,
            `renamed-key`, `missing-key` and `invalid-value`.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _usage_error(model, error, origin) from error


def _usage_error(model: type[BaseModel], error: ValidationError, origin: str) -> UsageError:
    errors = error.errors()
    first = errors[0]
    location = _keys(model, first["loc"])
    key = ".".join(str(part) for part in location) or "configuration"
    if first["type"] == "extra_forbidden":
        # The last part is the key itself, whatever it looks like.
        sections = location[:-1] if location[-1:] == [first["loc"][-1]] else location
        return _unknown_key(model, [*sections, first["loc"][-1]], origin)
    if first["type"] == MISSING and not isinstance(location[-1], int):
        return UsageError(
            f"{origin}: {key}: missing", f"set it in the YAML file or as --{key}", code="missing-key", key=key
        )
    if first["type"] == WITH_KEY:
        key = first["ctx"]["key"]
        return UsageError(f"{origin}: {key}: {first['msg']}", code="invalid-value", key=key)
    if first["type"] == MISSING:
        *of_list, _ = location
        key = ".".join(map(str, of_list))
        problem, fix = too_few([one for one in errors if _keys(model, one["loc"])[:-1] == of_list])
    else:
        same = [one for one in errors if _keys(model, one["loc"]) == location]
        problem, fix = explained(same, is_optional=_is_optional(model, location))
    return UsageError(f"{origin}: {key}: {problem}", fix, code="invalid-value", key=key)


def _keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[int | str]:
    """The keys of one of pydantic's locations, which also contain the branches of unions."""
    keys: list[int | str] = []
    for part in location:
        is_branch = isinstance(part, str) and _UNION_BRANCH.search(part)
        if not is_branch or part in _names(_section_at(model, keys)):
            keys.append(part)
    return keys


def _names(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section by the names that an experiment gives them."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _is_optional(model: type[BaseModel], location: list[int | str]) -> bool:
    """Whether a location is that of a key that may be left out."""
    field = _names(_section_at(model, location[:-1])).get(str(location[-1])) if location else None
    return field is not None and not field.is_required()


def _unknown_key(model: type[BaseModel], location: list[int | str], origin: str) -> UsageError:
    key, name = ".".join(str(part) for part in location), str(location[-1])
    section = _section_at(model, location[:-1])
    if current := renamed_key(section, name):
        new_key = ".".join([*map(str, location[:-1]), current])
        return UsageError(f"{origin}: {key}: renamed", f"write {new_key}", code="renamed-key", key=key)
    known = list(_names(section))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
    return UsageError(f"{origin}: {key}: unknown key", hint, code="unknown-key", key=key)


def renamed_key(section: type[BaseModel], key: str) -> str | None:
    """The current name of a key, if `key` is an earlier name that the section had for it; else None."""
    return section.RENAMED.get(key) if issubclass(section, Section) else None


def _section_at(model: type[BaseModel], location: list[int | str]) -> type[BaseModel]:
    """The section that the keys of a location lead to; list positions are skipped."""
    current: type[BaseModel] = model
    for part in location:
        if isinstance(part, int):
            continue
        for name, field in current.model_fields.items():
            if part in (name, field.alias):
                inner = list(_models_in(field.annotation))
                if inner:
                    current = inner[0]
    return current


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]
