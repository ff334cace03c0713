"""The keys of a dataset's configuration that nobody set, with their values, and those that no source reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pydantic.fields import FieldInfo

from pipelines.config import DatasetConfig, Section
from pipelines.config.section import PATH
from pipelines.config.tasks import (
    NOT_OF_CLASSES,
    SOURCE_KEYS_NOT_OF_STRUCTURE,
    STRUCTURE,
    STRUCTURE_SOURCE_KEYS,
    unread_sections,
)

_IN_WORDS = re.compile(r"\(default: ([^()]+)\)")
# Keys that say nothing as long as another has the value that it has.
_NEEDS: dict[str, Callable[[DatasetConfig], bool]] = {
    "crop.exact": lambda config: config.crop.length is not None,
    "crop.position": lambda config: config.crop.length is not None,
    "crop.margin": lambda config: config.crop.length is not None,
    "crop.per_gene": lambda config: config.crop.length is not None,
    "negatives.candidates": lambda config: len(config.negatives.match) > 1,
    "negatives.tolerance": lambda config: len(config.negatives.match) > 1,
    "tokenizer.min_count": lambda config: config.tokenizer.vocabulary == "observed",
    "split.identity": lambda config: config.split.by == "family",
    "split.seed": lambda config: isinstance(config.split.validation, float) or isinstance(config.split.test, float),
}


def unset(config: DatasetConfig) -> list[tuple[str, str]]:
    """The keys that were not set and decide something, each with its value in words.

    Keys of sources are listed once, where a source leaves them out. Keys of a tokenizer that is taken from elsewhere,
    of labelled sequences, and those that its task does not read are not here.

    Args:
        config: as validated from what a user gave.
    """
    is_structure = config.task == STRUCTURE
    without = unread_sections(config.task)
    genomes = [source for source in config.sources if not source.labelled]
    is_divided = any(source.is_divided for source in config.sources)
    found: dict[str, str] = {}
    left_out = {*SOURCE_KEYS_NOT_OF_STRUCTURE} if is_structure else {*STRUCTURE_SOURCE_KEYS}
    for source in genomes:
        of_source = _unset_of(source, "sources")
        found |= {key: value for key, value in of_source.items() if key.split(".")[1] not in left_out}
    for name in ("negatives", "crop", "tokenizer", "split", "labels", "window"):
        is_read = name not in without and (genomes or name == "tokenizer" or (name == "split" and is_divided))
        if is_read and not (name == "tokenizer" and config.tokenizer.reuse is not None):
            found |= _unset_of(getattr(config, name), name)
    return [(key, value) for key, value in found.items() if _NEEDS.get(key, _always)(config)]


def unread(config: DatasetConfig) -> list[tuple[str, str]]:
    """The keys that are not at their defaults although no source reads them, each with the reason.

    There are none with a genome: it may have every section read. Of `split` shares and their seed decide nothing where
    every sequence is in a file of a split; lists do.
    """
    if not all(source.labelled for source in config.sources):
        return []
    found = [
        (f"{name}.{key}", reason)
        for name, reason in NOT_OF_CLASSES.items()
        for key in _set_otherwise(getattr(config, name))
    ]
    if not any(source.is_divided for source in config.sources):
        shares = [key for key in ("validation", "test") if isinstance(getattr(config.split, key), float)]
        # A seed draws what has shares: with lists only it says nothing either.
        of_shares = {*shares, "seed"}
        reason = "every sequence is in a file of its split"
        found += [(f"split.{key}", reason) for key in _set_otherwise(config.split) if key in of_shares]
    return found


def _set_otherwise(section: Section) -> list[str]:
    """The keys whose values are not their defaults."""
    default = type(section)()
    fields = type(section).model_fields.items()
    return [field.alias or key for key, field in fields if getattr(section, key) != getattr(default, key)]


def _always(_: DatasetConfig) -> bool:
    return True


def _unset_of(section: Section, name: str) -> dict[str, str]:
    found = {}
    for key, field in type(section).model_fields.items():
        if key not in section.model_fields_set and (text := _in_words(getattr(section, key), field)) is not None:
            found[f"{name}.{field.alias or key}"] = text
    return found


def _in_words(value: Any, field: FieldInfo) -> str | None:
    """A value as a user would write it; None for a file that is not given."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and extra.items() >= PATH.items():
        return None
    if value is None:
        words = _IN_WORDS.search(field.description or "")
        return words[1] if words else None
    if isinstance(value, dict):
        return ", ".join(f"{key}:{part:g}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
