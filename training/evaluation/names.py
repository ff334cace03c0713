"""Short names for models that are known by where their bundles lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines import remote
from pipelines.errors import UsageError

ONE = "model"
BUNDLE = "bundle"


def of(bundles: Sequence[Path | str]) -> list[str]:
    """`model` for a single bundle; else as many of the last parts of each path or address as tell them all apart.

    The folder `bundle` that `raygene train` writes tells nothing, and is left off.

    Raises:
        UsageError: the same place twice.
    """
    if len(bundles) == 1:
        return [ONE]
    places = [_parts(bundle) for bundle in bundles]
    for place, bundle in zip(places, bundles, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"{bundle}: named twice", "name each bundle once")
    parts = [place[:-1] if place[-1] == BUNDLE else place for place in places]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [str(bundle) for bundle in bundles]


def _parts(bundle: Path | str) -> tuple[str, ...]:
    here = remote.local_path(bundle)
    return here.resolve().parts if here else tuple(str(bundle).rstrip("/").split("/"))
