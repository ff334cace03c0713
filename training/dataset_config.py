"""Where an experiment says something else than its dataset was built with: what differs, and what is true.

Only keys that both sides have are compared, so that a dataset of an older or newer raygene can be trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.config import DatasetConfig, SourceConfig

Values = dict[str, Any]


def reconcile(resolved: Values, built: Values) -> tuple[Values, list[str]]:
    """Hold an experiment against the configuration of a dataset.

    Args:
        resolved: the experiment; keys that are None may be left out. A tokenizer with `from` is not compared, and
            neither are sources that are not given.
        built: `config` of the dataset's manifest.

    Returns:
        The experiment with the dataset's values, and each difference as `tokenizer.k 3, not 6`, the dataset's first.
        A genome that only the dataset names has no paths there.
    """
    agreed, differences = dict(resolved), []
    for name, mine in resolved.items():
        theirs = built.get(name)
        if name == "sources" and mine and theirs:
            agreed[name], found = _sources(mine, theirs)
        elif name == "tokenizer" and isinstance(theirs, dict) and mine.get("from"):
            agreed[name], found = dict(theirs), []
        elif isinstance(mine, dict) and isinstance(theirs, dict):
            field = DatasetConfig.model_fields.get(name)
            agreed[name], found = _section(name, mine, theirs, _optional(field.annotation if field else None))
        else:
            continue
        differences += found
    return agreed, differences


def _sources(mine: Sequence[Values], theirs: Sequence[Values]) -> tuple[list[Values], list[str]]:
    by_name = {source["genome"]: source for source in mine}
    names, wanted = [source["genome"] for source in theirs], list(by_name)
    differences = [_told("sources", names, wanted)] if names != wanted else []
    agreed = []
    for source in theirs:
        name = source["genome"]
        one, found = _section(f"sources.{name}", by_name.get(name, source), source, _optional(SourceConfig))
        agreed.append(one)
        differences += found
    return agreed, differences


def _section(name: str, mine: Values, theirs: Values, optional: set[str]) -> tuple[Values, list[str]]:
    shared = [key for key in theirs if key in mine or key in optional]
    differing = [key for key in shared if mine.get(key) != theirs[key]]
    agreed = mine | {key: theirs[key] for key in differing}
    told = [_told(f"{name}.{key}", theirs[key], mine.get(key)) for key in differing]
    return {key: value for key, value in agreed.items() if value is not None}, told


def _optional(section: Any) -> set[str]:
    """The keys of a section that are None where they are left out."""
    fields = getattr(section, "model_fields", {})
    return {field.alias or name for name, field in fields.items() if field.default is None}


def _told(key: str, theirs: Any, mine: Any) -> str:
    return f"{key} {_shown(theirs)}, not {_shown(mine)}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "none" if value is None else str(value)
