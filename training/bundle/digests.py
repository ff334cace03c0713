"""A bundle's `config.json`: written with the digests of what it stands for, and read only while they hold.

`files` has the SHA-256 and the size of the files beside it, `digest` the SHA-256 of the canonical JSON of all the rest. That tells
damage and mix-ups, not forgery: whoever rewrites everything can write new digests too.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import fingerprint
from pipelines.errors import BundleError, InputError
from training.bundle.migrations import NEWEST, migrated

FORMAT = "raygene-bundle"
CONFIG = "config.json"
LARGEST = 64 << 20
RESTORE = "restore the bundle from where it was made"
Files = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Opened:
    """A configuration that was read.

    Attributes:
        config: of the newest format, without `files` and `digest`.
        files: SHA-256 and bytes by name; None in format 1, which has none.
        digest: as it stands in the file; None in format 1.
    """

    config: dict[str, Any]
    files: Files | None
    digest: str | None


def sealed(config: dict[str, Any], files: Files) -> dict[str, Any]:
    """What `config.json` holds: the configuration with `files` and `digest`."""
    whole = config | {"format": FORMAT, "format_version": NEWEST, "files": files}
    whole.pop("digest", None)
    return whole | {"digest": fingerprint.of_value(whole)}


def text(whole: dict[str, Any]) -> str:
    """The bytes of `config.json`."""
    return json.dumps(whole, indent=1, sort_keys=True) + "\n"


def facts(content: bytes) -> dict[str, Any]:
    """What `files` says of a file with these bytes."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def measured(directory: Path, names: list[str]) -> Files:
    """SHA-256 and bytes of files.

    Raises:
        InputError: one is missing or cannot be read.
    """
    return {
        name: {"sha256": fingerprint.of_file(directory / name), "bytes": (directory / name).stat().st_size}
        for name in names
    }


def check(directory: Path, files: Files, shown: str) -> None:
    """Hold files against what `config.json` says of them.

    Raises:
        BundleError: one is missing, of another size or of other bytes.
    """
    for name, wanted in sorted(files.items()):
        path = directory / name
        try:
            size = path.stat().st_size
            same = size == wanted["bytes"] and fingerprint.of_file(path) == wanted["sha256"]
        except (OSError, InputError) as error:
            raise BundleError(f"{shown}/{name}: cannot be read ({error})", RESTORE) from error
        if not same:
            raise BundleError(
                f"{shown}/{name}: its {size:,} bytes are not the {wanted['bytes']:,} that {CONFIG} names by their SHA-256",
                RESTORE,
            )


def read(content: bytes, shown: str, names: list[str]) -> Opened:
    """A configuration out of the bytes of `config.json`.

    Args:
        content: those bytes.
        shown: where they are from.
        names: the files that the bundle has to have.

    Raises:
        BundleError: no JSON, of something else, of a newer format, changed since it was written, or incomplete.
    """
    whole = _parsed(content, shown)
    if whole.get("format") != FORMAT:
        raise BundleError(f"{shown}: not the configuration of a raygene bundle", "name a directory RUN/bundle")
    version = whole.get("format_version")
    if type(version) is not int or version < 1:
        raise BundleError(f"{shown}: format_version {version!r} is not a version", RESTORE)
    if version > NEWEST:
        raise BundleError(f"{shown}: bundle format {version} is newer than the known {NEWEST}", "update raygene")
    digest = whole.pop("digest", None)
    if (digest is not None or version > 1) and digest != fingerprint.of_value(whole):
        raise BundleError(f"{shown}: changed since it was written: its digest does not fit", RESTORE)
    config = migrated(whole)
    files = config.pop("files", None)
    _complete(config, shown)
    if version > 1:
        _fit(files, names, shown)
    return Opened(config, files if version > 1 else None, digest)


def _parsed(content: bytes, shown: str) -> dict[str, Any]:
    if len(content) > LARGEST:
        raise BundleError(f"{shown}: {len(content):,} bytes are too many for a configuration", RESTORE)
    try:
        whole = json.loads(content.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{shown}: cannot be read ({' '.join(str(error).split())[:120]})", RESTORE) from error
    if not isinstance(whole, dict):
        raise BundleError(f"{shown}: not the configuration of a raygene bundle", "name a directory RUN/bundle")
    return whole


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _complete(config: dict[str, Any], shown: str) -> None:
    if missing := {"model", "threshold", "tokenizer", "dataset", "genomes", "metrics"} - set(config):
        raise BundleError(f"{shown}: {min(missing)}: missing", RESTORE)
    tokenizer, threshold = config["tokenizer"], config["threshold"]
    dataset = config["dataset"]
    if not isinstance(dataset, dict) or not isinstance(dataset.get("fingerprint"), str):
        raise BundleError(f"{shown}: dataset.fingerprint: missing", RESTORE)
    described = dataset.get("config")
    parts = [described.get(name, {}) for name in ("crop", "negatives")] if isinstance(described, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        raise BundleError(f"{shown}: dataset.config: not the sections of a dataset", RESTORE)
    if not isinstance(config["genomes"], list) or not isinstance(config["metrics"], dict):
        raise BundleError(f"{shown}: genomes or metrics: not a list and a table", RESTORE)
    if not isinstance(tokenizer, dict) or not isinstance(tokenizer.get("fingerprint"), str):
        raise BundleError(f"{shown}: tokenizer.fingerprint: missing", RESTORE)
    if type(threshold) not in (int, float) or not math.isfinite(threshold):
        raise BundleError(f"{shown}: threshold: not a number", RESTORE)


def _fit(files: Any, names: list[str], shown: str) -> None:
    """Whether `files` names exactly those of a bundle: a name decides what is read and where it is put."""
    facts = files.values() if isinstance(files, dict) else []
    whole = all(
        isinstance(one, dict) and isinstance(one.get("sha256"), str) and type(one.get("bytes")) is int for one in facts
    )
    if not isinstance(files, dict) or set(files) != set(names) or not whole:
        raise BundleError(f"{shown}: files: not SHA-256 and bytes of {' and '.join(sorted(names))}", RESTORE)
