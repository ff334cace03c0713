"""Which configuration keys can be searched, and the values that each of them takes."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from pipelines.config import CropConfig, NegativesConfig, SplitConfig, TokenizerConfig, renamed_key, validate
from pipelines.errors import RaygeneError, UsageError
from training.config import ModelConfig, TrainingConfig

DATASET_SECTIONS: dict[str, type[BaseModel]] = {
    "negatives": NegativesConfig,
    "crop": CropConfig,
    "tokenizer": TokenizerConfig,
    "split": SplitConfig,
}
# What decides the rows of validation, not how they are read.
TASK = ("negatives", "crop", "split")
# What a tokenizer that is taken from elsewhere brings along.
REUSED = ("k", "stride", "tail", "vocabulary", "min_count")
SECTIONS: dict[str, type[BaseModel]] = {"model": ModelConfig, "training": TrainingConfig, **DATASET_SECTIONS}


def of_dataset(key: str) -> bool:
    """Whether another value of a key makes another dataset."""
    return key.partition(".")[0] in DATASET_SECTIONS


def of_task(key: str) -> bool:
    """Whether another value of a key makes other rows of validation, on which figures cannot be held against each other."""
    return key.partition(".")[0] in TASK


def field(key: str) -> FieldInfo:
    """What is known of a key such as `model.hidden`.

    Raises:
        ValueError: there is no such key, with the nearest there is; or it changes no result.
    """
    from training.distributed.run_key import NOT_CONTENT  # torch comes with it, and --help need not wait for that

    section, _, name = key.partition(".")
    fields = {f"{one}.{inner.alias or label}": inner for one in SECTIONS for label, inner in _fields(one).items()}
    if section in SECTIONS and (today := renamed_key(SECTIONS[section], name)):
        raise ValueError(f"{key} was renamed; write {section}.{today}")
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


def number(key: str) -> type[int] | type[float] | None:
    """int where a key takes whole numbers only, float where it takes others too, None where it takes no numbers at all."""
    known = field(key).annotation
    kinds = {getattr(one, "__origin__", one) for one in (known, *get_args(known))}
    return float if float in kinds else int if int in kinds else None


def with_current_name(key: str) -> str:
    """A stored key, which may have the name of an earlier version, with today's name."""
    section, _, name = key.partition(".")
    today = renamed_key(SECTIONS[section], name) if section in SECTIONS else None
    return f"{section}.{today}" if today else key


def value_of(values: Mapping[str, Any], key: str) -> Any:
    """The value of a key in nested sections; None where there is none."""
    section, _, name = key.partition(".")
    return (values.get(section) or {}).get(name)


def changed(values: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Nested sections with some keys set.

    A tokenizer taken from elsewhere comes in the place of what the sections say of theirs.
    """
    found = copy.deepcopy(dict(values))
    if parameters.get("tokenizer.from") is not None:
        described = found.get("tokenizer") or {}
        found["tokenizer"] = {name: value for name, value in described.items() if name not in REUSED}
    for key, value in parameters.items():
        section, _, name = key.partition(".")
        found[section] = {**(found.get(section) or {}), name: value}
    return found


def configured(
    base: Mapping[str, Any], parameters: Mapping[str, Any], seed: int, workers: int
) -> tuple[ModelConfig, TrainingConfig]:
    """The sections of a trial.

    Raises:
        UsageError: values that do not go together.
    """
    values = changed(base, {**parameters, "training.seed": seed, "training.workers": workers})
    values["training"].pop("min_workers", None)
    origin = ", ".join(f"{key} {value}" for key, value in parameters.items())
    try:
        return validate(ModelConfig, values.get("model") or {}, origin), validate(
            TrainingConfig, values["training"], origin
        )
    except RaygeneError as error:
        raise UsageError(error.problem, error.fix) from error
