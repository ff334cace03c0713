"""Compares an experiment with the configuration that its dataset was built with; where they differ, the dataset counts.

Only keys that both have are compared, so that a dataset of an older or newer raygene can be trained on. A dataset that
lacks a key which is written down only where it is used was built with its default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.config import DatasetConfig, Section, SourceConfig
from pipelines.config.tasks import CLASSES, RECOGNISE, STRUCTURE_SECTIONS, without_meaningless

Values = dict[str, Any]


def reconcile(experiment: Values, built: Values) -> tuple[Values, list[str]]:
    """Compare an experiment with the configuration of a dataset.

    Args:
        experiment: its sections; keys that are None may be left out. A tokenizer with `from` is not compared, and
            neither are sources if there are none.
        built: `config` of the dataset's manifest.

    Returns:
        The experiment with the dataset's values, and each difference as `tokenizer.k 3, not 6`, the dataset's value
        first. A genome that only the dataset names has no paths.
    """
    reconciled, differences = _reconcile_task(experiment, built)
    for name, section in experiment.items():
        dataset_section = built.get(name)
        if name == "sources" and section and dataset_section:
            reconciled[name], differing = _reconcile_sources(section, dataset_section)
        elif name == "tokenizer" and isinstance(dataset_section, dict) and section.get("from"):
            reconciled[name], differing = dict(dataset_section), []
        elif name in reconciled and isinstance(section, dict) and isinstance(dataset_section, dict):
            field = DatasetConfig.model_fields.get(name)
            annotation = field.annotation if field else None
            dataset_section = _later_defaults(annotation) | dataset_section
            reconciled[name], differing = _reconcile_section(name, section, dataset_section, _optional_keys(annotation))
        else:
            continue
        differences += differing
    return reconciled, differences


def _reconcile_task(experiment: Values, built: Values) -> tuple[Values, list[str]]:
    """The experiment with the sections of the dataset's task; of what has no sources, no task is compared."""
    task, requested = (values.get("task", RECOGNISE) for values in (built, experiment))
    if not experiment.get("sources"):
        return dict(experiment), []
    if task == requested:
        classes, given = built.get(CLASSES), experiment.get(CLASSES)
        differs = given is not None and given != classes
        return {**experiment, CLASSES: classes} if differs else dict(experiment), (
            [_difference(CLASSES, classes, given)] if differs else []
        )
    own = {name: built[name] for name in (CLASSES, *STRUCTURE_SECTIONS) if name in built}
    return without_meaningless({**experiment, "task": task, **own}), [_difference("task", task, requested)]


def _reconcile_sources(sources: Sequence[Values], built: Sequence[Values]) -> tuple[list[Values], list[str]]:
    by_name = {source["genome"]: source for source in sources}
    built_names, names = [source["genome"] for source in built], list(by_name)
    differences = [_difference("sources", built_names, names)] if built_names != names else []
    reconciled = []
    for stored in built:
        built_source = SourceConfig.later_defaults() | stored
        name = built_source["genome"]
        source, differing = _reconcile_section(
            f"sources.{name}", by_name.get(name, built_source), built_source, _optional_keys(SourceConfig)
        )
        reconciled.append(source)
        differences += differing
    return reconciled, differences


def _reconcile_section(name: str, section: Values, built: Values, optional: set[str]) -> tuple[Values, list[str]]:
    comparable = [key for key in built if key in section or key in optional]
    differing = [key for key in comparable if section.get(key) != built[key]]
    reconciled = section | {key: built[key] for key in differing}
    differences = [_difference(f"{name}.{key}", built[key], section.get(key)) for key in differing]
    return {key: value for key, value in reconciled.items() if value is not None}, differences


def _optional_keys(section: Any) -> set[str]:
    """The keys of a section that are None when they are left out."""
    fields = getattr(section, "model_fields", {})
    return {field.alias or name for name, field in fields.items() if field.default is None}


def _later_defaults(section: Any) -> Values:
    return section.later_defaults() if isinstance(section, type) and issubclass(section, Section) else {}


def _difference(key: str, built: Any, experiment: Any) -> str:
    return f"{key} {_format(built)}, not {_format(experiment)}"


def _format(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "none" if value is None else str(value)
