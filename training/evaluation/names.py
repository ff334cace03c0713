"""Short names for models that are known by where their bundles lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import UsageError

ONE = "model"
BUNDLE = "bundle"


def of(paths: Sequence[Path]) -> list[str]:
    """`model` for a single bundle; else as many of the last parts of each path as tell them all apart.

    The folder `bundle` that `raygene train` writes tells nothing, and is left off.

    Raises:
        UsageError: the same place twice.
    """
    if len(paths) == 1:
        return [ONE]
    places = [path.resolve() for path in paths]
    for place, path in zip(places, paths, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"{path}: named twice", "name each bundle once")
    parts = [place.parts[:-1] if place.name == BUNDLE else place.parts for place in places]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [str(place) for place in places]
