"""The experiment file: one YAML whose sections are typed, whose keys are flags, and whose paths are relative to it.

Once loaded every path is absolute, so that an experiment written elsewhere is still the same.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, model_validator
from yaml.constructor import ConstructorError

from cluster.path_keys import Change, absolute, change_space, is_path
from pipelines.config import (
    CropConfig,
    DatasetConfig,
    NegativesConfig,
    Section,
    SourceConfig,
    SplitConfig,
    TokenizerConfig,
    validate,
)
from pipelines.errors import InputError, UsageError
from training.config import ModelConfig, TrainingConfig
from training.embed.config import EmbeddingConfig
from tuning.config import TuningConfig

SPACE = ("tuning", "space")


class ClusterConfig(Section):
    """Where the work runs. Nothing here changes a result."""

    address: str = Field(
        default="local",
        description="local = a Ray of its own on this machine, auto = the Ray already running here, or host:port of a cluster; "
        "inside a Ray job always that job's cluster",
    )
    cpus: int | None = Field(default=None, description="CPUs of a local Ray (default: all this process may use)", ge=1)


class Experiment(Section):
    """Every section of an experiment."""

    sources: list[SourceConfig] = Field(default=[])
    negatives: NegativesConfig = NegativesConfig()
    crop: CropConfig = CropConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    split: SplitConfig = SplitConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    tuning: TuningConfig = TuningConfig()
    cluster: ClusterConfig = ClusterConfig()

    @model_validator(mode="before")
    @classmethod
    def _absent_sections(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            return {key: value for key, value in values.items() if value is not None}
        return values

    def dataset(self, origin: str) -> DatasetConfig:
        """The sections that decide a dataset.

        Raises:
            UsageError: no sources, or the same genome name twice.
        """
        if not self.sources:
            raise UsageError(f"{origin}: sources: missing", "list at least one genome with fasta and annotation")
        names = DatasetConfig.model_fields
        return validate(DatasetConfig, {name: getattr(self, name) for name in names}, origin)

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, ready for a YAML file that `load` takes."""
        reused = (
            {"tokenizer": {"k", "stride", "tail", "vocabulary", "min_count"}}
            if self.tokenizer.reuse is not None
            else None
        )
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=reused)


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, of which YAML libraries keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if (name := (key.tag, str(key.value))) in seen:
                raise ConstructorError(problem=f"{key.value} is given twice", problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def load(path: Path, overrides: Mapping[tuple[str | int, ...], Any]) -> Experiment:
    """Read an experiment file and put flags over it.

    Args:
        path: the YAML. Its relative paths are taken relative to its folder; all are absolute in the result.
        overrides: key path, such as ("tokenizer", "k"), to value. Their relative paths are taken relative to the
            current directory.

    Raises:
        InputError: missing or not YAML.
        UsageError: an unknown key, a wrong type, a value out of range.
    """
    values = _based(_read(path), Experiment, path.parent)
    for keys, value in overrides.items():
        _put(values, keys, with_paths(keys, value, lambda _, one: absolute(one, Path.cwd())))
    return validate(Experiment, values, str(path))


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}", "name an experiment file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise InputError(f"{path}: {line}not YAML ({getattr(error, 'problem', error)})", "mend the line") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: holds no sections", "begin with sources:")
    return document


def portable(path: Path) -> tuple[str, dict[str, str]]:
    """An experiment file as text that means the same in any folder.

    Returns:
        The YAML with every path absolute, and the keys whose paths were relative, such as `sources.0.fasta`, with what they
        became.

    Raises:
        InputError: missing or not YAML.
    """
    values = _read(path)
    based = _based(values, Experiment, path.parent.absolute())
    return yaml.safe_dump(based, sort_keys=False, allow_unicode=True), dict(_changed(values, based))


def inputs(experiment: Experiment) -> dict[str, str]:
    """Every path or address that an experiment reads, and its key, such as `sources.0.fasta`."""
    sections: list[tuple[str, BaseModel]] = [
        (f"sources.{number}", one) for number, one in enumerate(experiment.sources)
    ]
    for name in Experiment.model_fields:
        if isinstance(section := getattr(experiment, name), BaseModel):
            sections.append((name, section))
    searched = {
        str(value): f"tuning.space {key}"
        for key, domain in (experiment.tuning.space or {}).items()
        if names_path(tuple(key.split(".")))
        for value in domain.values or []
    }
    return searched | {
        str(value): f"{where}.{field.alias or name}"
        for where, section in sections
        for name, field in type(section).model_fields.items()
        if is_path(field) and (value := getattr(section, name)) is not None
    }


def _changed(before: Any, after: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Keys, joined by points, at which two nested values of one shape differ."""
    if isinstance(before, dict | list):
        for key, value in before.items() if isinstance(before, dict) else enumerate(before):
            yield from _changed(value, after[key], f"{where}.{key}".lstrip("."))
    elif before != after:
        yield where, str(after)


def _based(values: Any, model: type[BaseModel], folder: Path) -> Any:
    """A copy in which the values of path fields are joined to the folder of the file they stand in."""
    values = copy.deepcopy(values)
    sources = values.get("sources")
    for source in sources if isinstance(sources, list) else []:
        _join(source, SourceConfig, folder)
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            _join(values.get(name), section, folder)
    if isinstance(tuning := values.get("tuning"), dict) and "space" in tuning:
        tuning["space"] = with_paths(SPACE, tuning["space"], lambda _, one: absolute(one, folder))
    return values


def _join(values: Any, section: type[BaseModel], folder: Path) -> None:
    if not isinstance(values, dict):
        return
    for name, field in section.model_fields.items():
        key = field.alias or name
        if is_path(field) and key in values:
            values[key] = absolute(values[key], folder)


def names_path(keys: tuple[str | int, ...]) -> bool:
    """Whether a key holds a path."""
    field = Experiment.model_fields.get(str(keys[0]))
    section = SourceConfig if keys[0] == "sources" else field.annotation if field else None
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        return False
    return any(is_path(field) and keys[-1] == (field.alias or name) for name, field in section.model_fields.items())


def with_paths(keys: tuple[str | int, ...], value: Any, change: Change) -> Any:
    """The value of a key, with `change` done to it if it is a path, or to the paths in it if it is `tuning.space`.

    Args:
        keys: such as ("tokenizer", "from").
        value: of that key.
        change: is given the whole key of a path, joined by points, and its value; gives another value.
    """
    if keys == SPACE:
        return change_space(
            value,
            lambda key, one: change(f"{'.'.join(SPACE)} {key}", one) if names_path(tuple(key.split("."))) else one,
        )
    return change(".".join(map(str, keys)), value) if names_path(keys) else value


def _put(values: dict[str, Any], keys: tuple[Any, ...], value: Any) -> None:
    """Set a nested value; where the file holds something else than a section, leave it for validation to refuse."""
    current: Any = values
    for key, following in itertools.pairwise(keys):
        if isinstance(current, list) and isinstance(key, int):
            current.extend({} for _ in range(key + 1 - len(current)))
        elif not isinstance(current, dict):
            return
        elif current.get(key) is None:
            current[key] = [] if isinstance(following, int) else {}
        current = current[key]
    if isinstance(current, dict):
        current[keys[-1]] = value
