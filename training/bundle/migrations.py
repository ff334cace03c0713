"""Brings the configuration of a bundle of an older format up to the newest, one version at a time.

A migration is a pure function from the `config.json` of one version to that of the next. It is never changed once it is
released, and there is none back. `docs/formats.md` says when the version grows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Config = dict[str, Any]


def _to_version_2(config: Config) -> Config:
    """Version 2 added the SHA-256 of the files and a digest of the configuration, which only the files can tell."""
    return config


def _to_version_3(config: Config) -> Config:
    """Version 3 renamed keys of the sections `model` and `training`, and one of `dataset.leakage`."""
    renamed = config | {
        "model": _renamed(config.get("model"), {"place": "absolute_positions"}),
        "training": _renamed(config.get("training"), {"batch": "global_batch_size", "clip": "max_grad_norm"}),
    }
    dataset = config.get("dataset")
    if isinstance(dataset, dict) and "leakage" in dataset:
        renamed["dataset"] = dataset | {"leakage": _renamed(dataset["leakage"], {"judged": "evaluated"})}
    return {key: value for key, value in renamed.items() if key in config}


def _renamed(section: Any, names: dict[str, str]) -> Any:
    """A section with the new names of keys, in the same order; what is no section is left for the reader to refuse."""
    if not isinstance(section, dict):
        return section
    return {names.get(key, key): value for key, value in section.items()}


MIGRATIONS: dict[int, Callable[[Config], Config]] = {1: _to_version_2, 2: _to_version_3}
"""By the version that a migration starts from; one for each from 1 on."""

NEWEST = max(MIGRATIONS) + 1
WITH_TASK = NEWEST + 1
"""The version of a configuration that names its task: the same in everything else. Recognition does not name itself, so
that earlier versions of raygene read its models, and say of others that they are newer."""


def version_of(config: Config) -> int:
    """The version that a configuration of today is written as."""
    return WITH_TASK if "task" in config else NEWEST


def migrated(config: Config) -> Config:
    """A configuration of any known version as one of the newest; the argument is not changed."""
    for version in range(config["format_version"], NEWEST):
        config = MIGRATIONS[version](dict(config)) | {"format_version": version + 1}
    return config
