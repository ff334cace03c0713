"""A bundle's `config.json`: written with the digests of the bundle's files, and refused if they do not fit.

`files` has the SHA-256 and the size of the files next to it, `digest` the SHA-256 of the canonical JSON of everything
else in it. This detects damage and mix-ups, not forgery: an attacker who rewrites everything can write new digests too.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import fingerprint, os_errors
from pipelines.display import format_size
from pipelines.documents import sealed_json
from pipelines.errors import BundleError, InputError
from pipelines.labels import classes
from training.bundle.migrations import WITH_TASK, migrated, version_of
from training.tasks import CLASSIFY, RECOGNISE, STRUCTURE, Name

FORMAT = "raygene-bundle"
CONFIG = "config.json"
# A configuration is a few hundred kilobytes at most: more is not one, and is not worth parsing.
LARGEST = 64 << 20
RESTORE = "restore the bundle from where it was made"
Files = dict[str, dict[str, Any]]
_OF_TASK: dict[Name, set[str]] = {
    RECOGNISE: {"threshold"},
    STRUCTURE: {"labels", "window", "decoding"},
    CLASSIFY: {"classes"},
}
"""The keys that a configuration has for its task."""


@dataclass(frozen=True)
class StoredConfig:
    """The content of a `config.json`.

    Attributes:
        config: in the newest format, without `files` and `digest`.
        files: SHA-256 and bytes by name; None in format 1, which has none.
        digest: as the file has it; None in format 1.
    """

    config: dict[str, Any]
    files: Files | None
    digest: str | None


def with_digests(config: dict[str, Any], files: Files) -> dict[str, Any]:
    """The content of `config.json`: the configuration with `files` and `digest`."""
    document = config | {"format": FORMAT, "format_version": version_of(config), "files": files}
    return sealed_json.sealed(document)


def text(document: dict[str, Any]) -> str:
    """The text of `config.json`."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def entry_of_bytes(content: bytes) -> dict[str, Any]:
    """The entry of `files` for a file with these bytes: SHA-256 and size."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def entries_of_files(directory: Path, names: list[str], shown: str) -> Files:
    """The entries of `files` for files in a directory.

    Args:
        directory: of the files.
        names: of the files.
        shown: the bundle's name in errors.

    Raises:
        BundleError: one is missing or cannot be read.
    """
    return {name: _entry_of_file(directory / name, f"{shown}/{name}") for name in names}


def _entry_of_file(path: Path, shown: str) -> dict[str, Any]:
    try:
        return {"sha256": fingerprint.of_file(path), "bytes": path.stat().st_size}
    except (OSError, InputError) as error:
        raise _unreadable(shown, error) from error


def _unreadable(shown: str, error: OSError | InputError) -> BundleError:
    """The error for a file that cannot be read. It leaves out the file's path, which may be that of a copy."""
    cause = error if isinstance(error, OSError) else error.__cause__
    reason = getattr(cause, "strerror", None) or error
    fix = os_errors.read_fix(cause, RESTORE) if cause else RESTORE
    return BundleError(f"{shown}: cannot be read ({reason})", fix)


def check(directory: Path, files: Files, shown: str) -> None:
    """Compare files with their entries in `config.json`.

    Args:
        directory: of the files.
        files: the entries.
        shown: the bundle's name in errors.

    Raises:
        BundleError: one is missing, or has another size or other bytes.
    """
    for name, expected in sorted(files.items()):
        path = directory / name
        try:
            size = path.stat().st_size
            same = size == expected["bytes"] and fingerprint.of_file(path) == expected["sha256"]
        except (OSError, InputError) as error:
            raise _unreadable(f"{shown}/{name}", error) from error
        if not same:
            raise BundleError(
                f"{shown}/{name}: its {size:,} bytes are not the {expected['bytes']:,} that {CONFIG} names by their "
                "SHA-256",
                RESTORE,
                code="damaged",
            )


def read(content: bytes, shown: str, names: list[str]) -> StoredConfig:
    """Read a configuration from the bytes of `config.json`.

    Args:
        content: the bytes.
        shown: the file's name in errors.
        names: of the files that the bundle has to have.

    Raises:
        BundleError: not JSON, not a bundle's, of a newer format, changed since it was written, or incomplete.
    """
    document = _parse(content, shown)
    if document.get("format") != FORMAT:
        raise BundleError(f"{shown}: not the configuration of a raygene bundle", "name a directory RUN/bundle")
    version = document.get("format_version")
    if type(version) is not int or version < 1:
        raise BundleError(f"{shown}: format_version {version!r} is not a version", RESTORE)
    if version > WITH_TASK:
        raise BundleError(
            f"{shown}: bundle format {version} is newer than the known {WITH_TASK}", "update raygene", code="newer"
        )
    has_digest = document.get(sealed_json.DIGEST) is not None
    if (has_digest or version > 1) and not sealed_json.is_intact(document):
        raise BundleError(f"{shown}: changed since it was written: its digest does not fit", RESTORE, code="damaged")
    digest = document.pop(sealed_json.DIGEST, None)
    config = migrated(document)
    files = config.pop("files", None)
    _require_complete(config, shown)
    if version > 1:
        _require_entries(files, names, shown)
    return StoredConfig(config, files if version > 1 else None, digest)


def _parse(content: bytes, shown: str) -> dict[str, Any]:
    if len(content) > LARGEST:
        raise BundleError(f"{shown}: larger than {format_size(LARGEST)}", RESTORE)
    try:
        document = sealed_json.parse(content, LARGEST)
    except ValueError as error:
        raise BundleError(f"{shown}: cannot be read ({' '.join(str(error).split())[:120]})", RESTORE) from error
    if not isinstance(document, dict):
        raise BundleError(f"{shown}: not the configuration of a raygene bundle", "name a directory RUN/bundle")
    return document


def _require_complete(config: dict[str, Any], shown: str) -> None:
    _require_known_task(config, shown)
    task = config.get("task", RECOGNISE)
    of_task = _OF_TASK[task]
    if missing := ({"model", "tokenizer", "dataset", "genomes", "metrics"} | of_task) - set(config):
        raise BundleError(f"{shown}: {min(missing)}: missing", RESTORE)
    tokenizer = config["tokenizer"]
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
    if task == STRUCTURE:
        _require_sections_of_structure(config, shown)
    elif task == CLASSIFY:
        _require_classes(config, shown)
    elif type(config["threshold"]) not in (int, float) or not math.isfinite(config["threshold"]):
        raise BundleError(f"{shown}: threshold: not a number", RESTORE)


def _require_known_task(config: dict[str, Any], shown: str) -> None:
    task = config.get("task", RECOGNISE)
    if not isinstance(task, str) or task not in _OF_TASK:
        raise BundleError(f"{shown}: task {str(task)[:40]!r}: unknown", "update raygene", code="newer")


def _require_classes(config: dict[str, Any], shown: str) -> None:
    names, model = config["classes"], config["model"]
    if not isinstance(model, dict) or not isinstance(names, list) or len(names) != model.get("outputs"):
        raise BundleError(f"{shown}: classes: not a name for each of the model's outputs", RESTORE)
    if problem := classes.problem_of_stored(names):
        raise BundleError(f"{shown}: classes: {problem}", RESTORE)


def _require_sections_of_structure(config: dict[str, Any], shown: str) -> None:
    for name in ("labels", "window", "decoding"):
        if not isinstance(config[name], dict):
            raise BundleError(f"{shown}: {name}: not a table", RESTORE)
    length = config["window"].get("length")
    if type(length) is not int or length < 1:
        raise BundleError(f"{shown}: window.length: not a number of bases", RESTORE)


def _require_entries(files: Any, names: list[str], shown: str) -> None:
    """Refuse `files` unless it names exactly a bundle's files: a name decides what is read and where it is written."""
    entries = files.values() if isinstance(files, dict) else []
    are_complete = all(
        isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and type(entry.get("bytes")) is int
        for entry in entries
    )
    if not isinstance(files, dict) or set(files) != set(names) or not are_complete:
        raise BundleError(f"{shown}: files: not SHA-256 and bytes of {' and '.join(sorted(names))}", RESTORE)
