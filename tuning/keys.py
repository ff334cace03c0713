"""Which configuration keys can be searched, and the values that each of them takes."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from pipelines.config import CropConfig, NegativesConfig, SplitConfig, TokenizerConfig
from training.config import ModelConfig, TrainingConfig

DATASET_SECTIONS: dict[str, type[BaseModel]] = {
    "negatives": NegativesConfig,
    "crop": CropConfig,
    "tokenizer": TokenizerConfig,
    "split": SplitConfig,
}
SECTIONS: dict[str, type[BaseModel]] = {"model": ModelConfig, "training": TrainingConfig, **DATASET_SECTIONS}


def of_dataset(key: str) -> bool:
    """Whether another value of a key makes another dataset."""
    return key.partition(".")[0] in DATASET_SECTIONS


def field(key: str) -> FieldInfo:
    """What is known of a key such as `model.hidden`.

    Raises:
        ValueError: there is no such key, with the nearest there is; or it changes no result.
    """
    from training.key import NOT_CONTENT  # torch comes with it, and --help need not wait for that

    section, _, name = key.partition(".")
    fields = {f"{one}.{inner.alias or label}": inner for one in SECTIONS for label, inner in _fields(one).items()}
    if key not in fields:
        near = difflib.get_close_matches(key, fields, n=1, cutoff=0.6)
        near = near or [one for one in fields if one.endswith(f".{key}")][:1]
        hint = f"did you mean {near[0]}?" if near else f"sections that can be searched: {', '.join(SECTIONS)}"
        raise ValueError(f"{key} is no key of the configuration; {hint}")
    if key == "training.seed":
        raise ValueError("training.seed is not searched; set tuning.seeds to try each configuration several times")
    if section == "training" and name in NOT_CONTENT:
        raise ValueError(f"{key} does not change what is learnt; set it in the training section")
    return fields[key]


def _fields(section: str) -> dict[str, FieldInfo]:
    return SECTIONS[section].model_fields


def checked(key: str, value: Any) -> Any:
    """A value as the key's type holds it: 1e-3 in a YAML is text, and comes out as a number.

    Raises:
        ValueError: no such key, or not a value of it.
    """
    known = field(key)
    kind: Any = Annotated[known.annotation, *known.metadata] if known.metadata else known.annotation
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"{key} {value!r}: {said[0].lower() + said[1:]}") from None


def value_of(values: Mapping[str, Any], key: str) -> Any:
    """The value of a key in nested sections; None where there is none."""
    section, _, name = key.partition(".")
    return (values.get(section) or {}).get(name)


def changed(values: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Nested sections with some keys set."""
    found = copy.deepcopy(dict(values))
    for key, value in parameters.items():
        section, _, name = key.partition(".")
        found[section] = {**(found.get(section) or {}), name: value}
    return found
