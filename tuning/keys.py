"""Configuration keys that can be searched, and the values that each of them takes."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from pipelines.config import CropConfig, NegativesConfig, SplitConfig, TokenizerConfig, renamed_key, validate
from pipelines.config.explanations import explained
from pipelines.config.section import accepts
from pipelines.config.structure import LabelsConfig, WindowConfig
from pipelines.config.tasks import CLASSES
from pipelines.documents.yaml_reader import PlainFloat
from pipelines.errors import RaygeneError, UsageError
from training.config import ModelConfig, TrainingConfig
from training.tasks import Task

DATASET_SECTIONS: dict[str, type[BaseModel]] = {
    "negatives": NegativesConfig,
    "crop": CropConfig,
    "tokenizer": TokenizerConfig,
    "split": SplitConfig,
    "labels": LabelsConfig,
    "window": WindowConfig,
}
# Sections that decide which rows validation has and what is asked of them, not how they are encoded or cut.
TASK_SECTIONS = ("negatives", "crop", "split", "labels")
# Keys of these sections that only say when a build warns or ends.
NO_CONTENT = ("tokenizer.warn_unknown", "tokenizer.max_unknown")
# Keys that a tokenizer taken from elsewhere (`tokenizer.from`) brings along.
TOKENIZER_KEYS = ("k", "stride", "tail", "vocabulary", "min_count")
SECTIONS: dict[str, type[BaseModel]] = {"model": ModelConfig, "training": TrainingConfig, **DATASET_SECTIONS}


def decides_dataset(key: str) -> bool:
    """Whether each value of a key needs its own dataset."""
    return key.partition(".")[0] in DATASET_SECTIONS


def decides_task(key: str) -> bool:
    """Whether each value of a key has its own validation rows, so that metrics are not comparable between values."""
    return key.partition(".")[0] in TASK_SECTIONS


def field(key: str) -> FieldInfo:
    """The field of a key such as `model.hidden`.

    Raises:
        ValueError: there is no such key (the message names the nearest one), or the key changes no result.
    """
    from training.distributed.run_key import NOT_CONTENT  # imports torch, which --help need not wait for

    section, _, name = key.partition(".")
    fields = {
        f"{prefix}.{info.alias or label}": info
        for prefix, model in SECTIONS.items()
        for label, info in model.model_fields.items()
    }
    if section in SECTIONS and (current := renamed_key(SECTIONS[section], name)):
        raise ValueError(f"{key} was renamed; write {section}.{current}")
    if key not in fields:
        near = difflib.get_close_matches(key, fields, n=1, cutoff=0.6)
        near = near or [known for known in fields if known.endswith(f".{key}")][:1]
        hint = f"did you mean {near[0]}?" if near else f"sections that can be searched: {', '.join(SECTIONS)}"
        raise ValueError(f"{key} is not a key of the configuration; {hint}")
    if key == "training.seed":
        raise ValueError("training.seed is not searched; set tuning.seeds to train each configuration several times")
    if key in NO_CONTENT:
        raise ValueError(f"{key} does not change what is built; set it in the {section} section")
    if section == "training" and name in NOT_CONTENT:
        raise ValueError(f"{key} does not change what is learnt; set it in the training section")
    return fields[key]


def validate_value(key: str, value: Any) -> Any:
    """A value converted to the key's type.

    Raises:
        ValueError: there is no such key, or it does not accept this value.
    """
    info = field(key)
    if isinstance(value, bool) and not accepts(info.annotation, bool):
        raise ValueError(f"{key} {value}: true and false are no value of this key; quote a name")
    kind: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        errors = error.errors()
        # Of a list the value that is wrong may be an item.
        problem, fix = explained([one for one in errors if len(one["loc"]) == len(errors[0]["loc"])])
        raise ValueError(f"{key} {'; '.join(part for part in (problem, fix) if part)}") from None


def typed_value(key: str, value: Any) -> Any:
    """A value that `validate_value` accepts, for a study's files.

    Text that stands for a number or a boolean becomes one, and an unquoted fraction a number, or a name if the key
    holds names. Other values stay as they are written.
    """
    typed = validate_value(key, value)
    if isinstance(value, str):
        return typed if isinstance(typed, bool | int | float) else value
    items = value if isinstance(value, list) else [value]
    return typed if any(isinstance(item, PlainFloat) for item in items) else value


def numeric_type(key: str) -> type[int] | type[float] | None:
    """int for a key of whole numbers, float for a key of real numbers, None for a key that takes no numbers."""
    annotation = field(key).annotation
    types = {getattr(kind, "__origin__", kind) for kind in (annotation, *get_args(annotation))}
    return float if float in types else int if int in types else None


def with_current_name(key: str) -> str:
    """The current name of a stored key, which an earlier version may have written under another name."""
    section, _, name = key.partition(".")
    current = renamed_key(SECTIONS[section], name) if section in SECTIONS else None
    return f"{section}.{current}" if current else key


def value_of(values: Mapping[str, Any], key: str) -> Any:
    """The value of a key in nested sections; None where it is missing."""
    section, _, name = key.partition(".")
    return (values.get(section) or {}).get(name)


def with_parameters(values: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of nested sections with some keys set.

    A tokenizer taken from elsewhere (`tokenizer.from`) replaces the one that the sections describe.
    """
    sections = copy.deepcopy(dict(values))
    if parameters.get("tokenizer.from") is not None:
        described = sections.get("tokenizer") or {}
        sections["tokenizer"] = {name: value for name, value in described.items() if name not in TOKENIZER_KEYS}
    for key, value in parameters.items():
        section, _, name = key.partition(".")
        sections[section] = {**(sections.get(section) or {}), name: value}
    return sections


def with_classes(base: Mapping[str, Any], classes: Iterable[Sequence[str]]) -> Mapping[str, Any]:
    """The sections of an experiment with the names of the classes that its datasets have, where they have any.

    The labels of the sequences decide them, which no searched key changes.

    Args:
        base: sections of the experiment.
        classes: of each dataset; empty for tasks without.
    """
    names = next(filter(None, classes), None)
    return base if names is None else {**base, CLASSES: list(names)}


def trial_configs(
    base: Mapping[str, Any], parameters: Mapping[str, Any], seed: int, workers: int
) -> tuple[ModelConfig, TrainingConfig]:
    """The `model` and `training` sections of a trial.

    Raises:
        UsageError: the values are incompatible with each other.
    """
    values = with_parameters(base, {**parameters, "training.seed": seed, "training.workers": workers})
    # It belongs to the experiment's own number of workers, which a trial does not have.
    values["training"].pop("min_workers", None)
    origin = ", ".join(f"{key} {value}" for key, value in parameters.items())
    from training import networks  # imports torch, which --help need not wait for

    task = Task.of_dataset(values)
    try:
        model = validate(ModelConfig, values.get("model") or {}, origin)
        networks.check(task, model)
        if task.has_classes:
            model = task.model(model)
        return model, task.training(validate(TrainingConfig, values["training"], origin))
    except RaygeneError as error:
        raise UsageError(error.problem, error.fix) from error
