"""Short names for models that are known by the paths of their bundles."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from pipelines import remote
from pipelines.errors import UsageError

ONLY_MODEL = "model"
BUNDLE = "bundle"
_MAX_LETTERS = 100


def short_names(bundles: Sequence[Path | str]) -> list[str]:
    """`model` for a single bundle; else as many of the last parts of each path or address as make all names differ.

    The folder name `bundle`, which `raygene train` writes, distinguishes nothing and is left off.

    Raises:
        UsageError: the same path twice.
    """
    if len(bundles) == 1:
        return [ONLY_MODEL]
    identities = [_identity(bundle) for bundle in bundles]
    for identity, bundle in zip(identities, bundles, strict=True):
        if identities.count(identity) > 1:
            raise UsageError(f"{bundle}: named twice", "name each bundle once")
    paths = [_parts(bundle) for bundle in bundles]
    parts = [path[:-1] if path[-1] == BUNDLE else path for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(path[-length:]) for path in parts]
        if len(set(names)) == len(names):
            return names
    whole = [str(bundle) if remote.local_path(bundle) else remote.redacted(str(bundle)) for bundle in bundles]
    # Addresses may differ in their queries alone, which may be secrets.
    return whole if len(set(whole)) == len(whole) else [f"{name} ({n})" for n, name in enumerate(whole, start=1)]


def file_suffix(names: Sequence[str]) -> str:
    """What several models add to the name of a file about all of them, before its ending; nothing for a single one.

    The names, each after a dot. A digest of the names follows if one has letters that a file's name should not have;
    if they are long, how many there are and the digest.
    """
    if len(names) == 1:
        return ""
    digest = hashlib.sha256(chr(0).join(names).encode()).hexdigest()[:8]
    parts = [re.sub(r"[^A-Za-z0-9_+=-]+", "-", name).strip("-") or ONLY_MODEL for name in names]
    if len("".join(parts)) > _MAX_LETTERS:
        return f".{len(names)}-models-{digest}"
    # `a b` and `a-b` would name one file.
    return "".join(f".{part}" for part in (*parts, *([] if parts == list(names) else [digest])))


def _parts(bundle: Path | str) -> tuple[str, ...]:
    """The parts of an absolute local path, or of an address without its credentials."""
    path = remote.local_path(bundle)
    return path.resolve().parts if path else tuple(remote.redacted(str(bundle)).split("/"))


def _identity(bundle: Path | str) -> str:
    path = remote.local_path(bundle)
    return str(path.resolve()) if path else str(bundle).rstrip("/")
