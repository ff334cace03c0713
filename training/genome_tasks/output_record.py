"""The record of what was computed for a genome: JSON that is written last, with totals and the SHA-256 of its files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines import fingerprint, storage


def read(path: Path, counts: frozenset[str], later: frozenset[str] = frozenset()) -> dict[str, Any] | None:
    """A record, or None if it is missing, damaged or of another form.

    Args:
        path: of the record.
        counts: names of the totals that it has.
        later: those among them that records of earlier versions lack.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not all(isinstance(record.get(name), dict) for name in ("counts", "files")):
        return None
    return record if counts - later <= set(record["counts"]) <= counts else None


def write(path: Path, record: Mapping[str, Any], counts: Mapping[str, Any], files: Iterable[Path]) -> None:
    """Write what a record says, with the totals and the SHA-256 of the files."""
    hashes = {_name(file, path): fingerprint.of_file(file) for file in files}
    document = dict(record) | {"counts": dict(counts), "files": hashes}
    storage.write_text(path, json.dumps(document, indent=1, sort_keys=True) + "\n")


def match(path: Path, record: Mapping[str, Any], files: Iterable[Path]) -> bool:
    """Whether files exist and have the SHA-256 that the record at a path gives them."""
    hashes = record["files"]
    return all(file.exists() and fingerprint.of_file(file) == hashes.get(_name(file, path)) for file in files)


def _name(file: Path, record: Path) -> str:
    """A file's path from the directory of the record."""
    return os.path.relpath(file, record.parent)
