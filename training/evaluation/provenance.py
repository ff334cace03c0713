"""What a page of an evaluation was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pipelines import report


class Scored(Protocol):
    """A model that was evaluated."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...


def provenance(models: Sequence[Scored], manifest: Mapping[str, Any], command: str) -> list[tuple[str, object]]:
    """Name and value of each part: the bundles, the dataset, its tokenizer, the command.

    Args:
        models: at least one.
        manifest: of the dataset.
        command: as it was called.
    """
    bundles: list[tuple[str, object]] = [
        ("bundle" if len(models) == 1 else f"bundle {model.name}", model.fingerprint) for model in models
    ]
    return [*bundles, *report.made_from(manifest, command)]
