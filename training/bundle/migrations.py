"""The configuration of bundles of older formats, brought up to the format of today, one version at a time.

A migration is a pure function from the `config.json` of one version to that of the next. It is never changed once released, and none
leads back. The rule that says when the version grows is in `docs/formats.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Config = dict[str, Any]


def _two(config: Config) -> Config:
    """Version 2 has the files' SHA-256 and a digest of the configuration, which only reading the files can tell."""
    return config


def _three(config: Config) -> Config:
    """Version 3 names keys of the model and training sections as PyTorch does."""
    names = {
        "model": {"place": "absolute_positions"},
        "training": {"batch": "global_batch_size", "clip": "max_grad_norm"},
    }
    return config | {
        section: {new.get(key, key): value for key, value in config[section].items()}
        for section, new in names.items()
        if section in config
    }


MIGRATIONS: dict[int, Callable[[Config], Config]] = {1: _two, 2: _three}
"""By the version that a migration starts from; one for each from 1 on."""

NEWEST = max(MIGRATIONS) + 1


def migrated(config: Config) -> Config:
    """A configuration of any known version as one of the newest; the argument stays as it was."""
    for version in range(config["format_version"], NEWEST):
        config = MIGRATIONS[version](dict(config)) | {"format_version": version + 1}
    return config
