"""The experiment file: a YAML file with typed sections, whose keys are also flags, and whose paths are relative to it.

In a loaded experiment every path is absolute, so that a copy written to another directory means the same.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from cluster.paths.path_keys import Change, absolute, change_space, is_path
from pipelines.address import has_credentials
from pipelines.config import (
    DatasetConfig,
    Section,
    SourceConfig,
    validate,
)
from pipelines.config.dataset import DatasetSections
from pipelines.documents import yaml_reader, yaml_writer
from pipelines.errors import InputError, UsageError
from training import tasks
from training.bundle import included_models
from training.config import ModelConfig, TrainingConfig
from training.embed.config import EmbeddingConfig
from tuning.config import TuningConfig

SPACE = ("tuning", "space")
Engine = Literal["auto", "ray", "local"]


class ClusterConfig(Section):
    """Where the work runs. Nothing here changes a result."""

    address: str = Field(
        default="local",
        description="local = start Ray on this machine, auto = the Ray that is running on this machine, or host:port "
        "of a cluster; in a Ray job always that job's cluster",
    )
    engine: Engine = Field(
        default="auto",
        description="ray = work in Ray's workers; local = in this process, without Ray; auto = in this process where "
        "Ray would take longer to start than the work takes",
    )
    cpus: int | None = Field(
        default=None, description="CPUs of a local Ray (default: all that this process may use)", ge=1, le=4_096
    )

    @model_validator(mode="after")
    def _local_engine_has_no_cluster(self) -> ClusterConfig:
        if self.engine == "local" and self.address != "local":
            raise ValueError("engine: local does not use the cluster of cluster.address; leave one of them out")
        return self

    @model_validator(mode="after")
    def _address_has_no_password(self) -> ClusterConfig:
        # As for training.mlflow: a field validator would show the password in its error.
        if has_credentials(self.address):
            raise ValueError(
                "address has a password in it, which would be written next to the results; set RAY_ADDRESS, and the "
                "cluster's token as RAY_AUTH_TOKEN, in the environment instead"
            )
        return self


class Experiment(DatasetSections):
    """Every section of an experiment."""

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
        """The sections that determine a dataset.

        Args:
            origin: name of the experiment, for errors.

        Raises:
            UsageError: no sources, or two with the same name.
        """
        if not self.sources:
            raise UsageError(f"{origin}: sources: missing", "list at least one genome with fasta and annotation")
        names = DatasetConfig.model_fields
        return validate(DatasetConfig, {name: getattr(self, name) for name in names}, origin)

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, which `yaml_writer` turns into a file that `load` can read."""
        reused = (
            {"tokenizer": {"k", "stride", "tail", "vocabulary", "min_count"}}
            if self.tokenizer.reuse is not None
            else None
        )
        values = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=reused)
        values["model"]["stem_stride"] = tasks.Task(self.task).model(self.model).stem_stride
        return values


def load(path: Path, overrides: Mapping[tuple[str | int, ...], Any]) -> Experiment:
    """Read an experiment file, and replace values by those of flags.

    Args:
        path: of the file. Relative paths in it are relative to its directory.
        overrides: keys, such as ("tokenizer", "k"), to value. Relative paths in them are relative to the current
            directory.

    Raises:
        InputError: the file is missing or not YAML.
        UsageError: an unknown key, a wrong type, a value out of range.
    """
    values = _with_absolute_paths(_read(path), Experiment, path.parent)
    for keys, value in overrides.items():
        _put(values, keys, with_paths(keys, value, lambda key, value: _located(key, value, Path.cwd())))
    return validate(Experiment, values, str(path))


def _read(path: Path) -> dict[str, Any]:
    document = yaml_reader.read(path, "an experiment file")
    if not isinstance(document, dict):
        raise InputError(f"{path}: has no sections", "begin with sources:")
    if isinstance(sources := document.get("sources"), dict):
        document["sources"] = _listed(sources, path)
    return document


def _listed(sources: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """The list that `sources: {table: FILE}` stands for."""
    # What reads tables imports what reads all files, which most command lines do not need.
    from pipelines.genome import source_table

    table = sources.get(source_table.KEY)
    if not isinstance(table, str) or len(sources) > 1:
        raise UsageError(
            f"{path}: sources: neither a list nor a table",
            "list genomes, each with fasta and annotation, or name a table of them: {table: genomes.tsv}",
            key="sources",
        )
    return source_table.read(Path(absolute(table, path.parent)))


def portable(path: Path) -> tuple[str, dict[str, str]]:
    """An experiment file as text that means the same in any directory.

    Returns:
        The YAML with every path absolute; and each key whose path was relative, such as `sources.0.fasta`, with its
        absolute path.

    Raises:
        InputError: missing or not YAML.
    """
    values = _read(path)
    changed = _with_absolute_paths(values, Experiment, path.parent.absolute())
    return yaml_writer.dump(changed), dict(_differences(values, changed))


def inputs(experiment: Experiment) -> dict[str, str]:
    """Every path or address that an experiment reads to its key, such as `sources.0.fasta`."""
    sections: list[tuple[str, BaseModel]] = [
        (f"sources.{number}", source) for number, source in enumerate(experiment.sources)
    ]
    for name in Experiment.model_fields:
        if isinstance(section := getattr(experiment, name), BaseModel):
            sections.append((name, section))
    searched = {
        str(value): f"tuning.space {key}"
        for key, domain in (experiment.tuning.space or {}).items()
        if names_path(tuple(key.split(".")))
        for value in domain.values or []
        if not included_models.is_name(value)
    }
    return searched | {
        str(value): f"{prefix}.{field.alias or name}"
        for prefix, section in sections
        for name, field in type(section).model_fields.items()
        if is_path(field) and (value := getattr(section, name)) is not None and not included_models.is_name(value)
    }


def _differences(old: Any, new: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Keys, joined by points, at which two nested values of the same shape differ, with the new value."""
    if isinstance(old, dict | list):
        for key, value in old.items() if isinstance(old, dict) else enumerate(old):
            yield from _differences(value, new[key], f"{prefix}.{key}".lstrip("."))
    elif old != new:
        yield prefix, str(new)


def _with_absolute_paths(values: Any, model: type[BaseModel], directory: Path) -> Any:
    """A copy of an experiment's values in which every path is absolute, taken relative to a directory."""
    values = copy.deepcopy(values)
    sources = values.get("sources")
    for source in sources if isinstance(sources, list) else []:
        _make_absolute(source, SourceConfig, directory)
    for name, field in model.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            _make_absolute(values.get(name), section, directory, name)
    if isinstance(tuning := values.get("tuning"), dict) and "space" in tuning:
        tuning["space"] = with_paths(SPACE, tuning["space"], lambda key, value: _located(key, value, directory))
    return values


def _make_absolute(values: Any, section: type[BaseModel], directory: Path, prefix: str = "sources") -> None:
    """Make the paths of one section absolute, in place."""
    if not isinstance(values, dict):
        return
    for name, field in section.model_fields.items():
        key = field.alias or name
        if is_path(field) and key in values:
            values[key] = _located(f"{prefix}.{key}", values[key], directory)


def _located(key: str, value: Any, directory: Path) -> Any:
    """The absolute path of a key's value; where a bundle may be named, the name of an included model stays."""
    names_model = names_bundle(key.rpartition(" ")[2]) and included_models.named(value, directory)
    return value if names_model else absolute(value, directory)


def names_path(keys: tuple[str | int, ...]) -> bool:
    """Whether a key, such as ("tokenizer", "from"), holds a path."""
    field = Experiment.model_fields.get(str(keys[0]))
    section = SourceConfig if keys[0] == "sources" else field.annotation if field else None
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        return False
    return any(is_path(field) and keys[-1] == (field.alias or name) for name, field in section.model_fields.items())


def names_bundle(key: str) -> bool:
    """Whether a key of a section, such as `training.start_from`, names a bundle, which may be an included model."""
    section, _, name = key.partition(".")
    model = Experiment.model_fields[section].annotation if section in Experiment.model_fields else None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return False
    extra = next((field.json_schema_extra for label, field in model.model_fields.items() if label == name), None)
    return isinstance(extra, dict) and bool(extra.get("bundle"))


def with_paths(keys: tuple[str | int, ...], value: Any, change: Change) -> Any:
    """The value of a key, changed if it is a path; in `tuning.space`, the paths in it are changed.

    Args:
        keys: such as ("tokenizer", "from").
        value: of that key.
        change: gives the new value for the whole key of a path, joined by points, and its value.
    """
    if keys == SPACE:
        return change_space(
            value,
            lambda key, item: change(f"{'.'.join(SPACE)} {key}", item) if names_path(tuple(key.split("."))) else item,
        )
    return change(".".join(map(str, keys)), value) if names_path(keys) else value


def _put(values: dict[str, Any], keys: tuple[Any, ...], value: Any) -> None:
    """Set a nested value. Where the file has a value in place of a section, it is left for validation to refuse."""
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
