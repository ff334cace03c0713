"""`RUN/start.json`: the bundle that the run in a directory started from, so that another one does not take its place.

A run is resumed by its key, which the bundle's digest is part of. Without this record the same command would begin
anew, and in silence, once the bundle at its path is another one.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipelines import remote, storage
from pipelines.errors import UsageError

FILE = "start.json"


def refuse_own(start_from: str | None, output: Path) -> None:
    """Refuse a run that starts from the bundle which it would replace.

    Raises:
        UsageError: the bundle is the run's own.
    """
    directory = remote.local_path(start_from) if start_from is not None else None
    if directory is not None and directory.resolve() == (output / "bundle").resolve():
        raise UsageError(
            f"training.start_from: {start_from} is the bundle that this run writes",
            "choose another --output",
            key="training.start_from",
        )


def require_same(output: Path, key_without_start: str, digest: str | None) -> None:
    """Refuse to resume a run that was started from another bundle.

    Args:
        output: the run's directory.
        key_without_start: of all that decides the run's result but the bundle.
        digest: of the bundle; None if there is none.

    Raises:
        UsageError: the same run was started from another bundle.
    """
    stored = _read(output / FILE)
    if digest is not None and stored is not None and stored[0] == key_without_start and stored[1] != digest:
        raise UsageError(
            f"{output}: its run started from bundle {stored[1][:12]}, and training.start_from is bundle {digest[:12]}",
            "name the bundle that it started from, or choose another --output",
            key="training.start_from",
        )


def write(output: Path, key_without_start: str, digest: str | None) -> None:
    """Record what the run in a directory starts from, unless the same run was started from another bundle.

    Args:
        output: the run's directory.
        key_without_start: of all that decides the run's result but the bundle.
        digest: of the bundle; None if there is none, which is recorded only in place of another record.

    Raises:
        UsageError: the same run was started from another bundle.
        StorageError: the directory cannot be written.
    """
    path = output / FILE
    if digest is None:
        path.unlink(missing_ok=True)
        return
    require_same(output, key_without_start, digest)
    storage.write_json(path, {"run_without_start": key_without_start, "bundle": digest})


def _read(path: Path) -> tuple[str, str] | None:
    """The stored key and digest; None where there is no record that can be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return str(document["run_without_start"]), str(document["bundle"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
