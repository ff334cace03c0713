"""`metrics.jsonl`: one line an epoch, written while training goes on; an epoch done again replaces its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines import storage

Record = dict[str, Any]


class Journal:
    """The records of a run, on disk after each one.

    Args:
        path: the file; lines already there are taken over.
        resume: keep them; otherwise begin anew.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self._path = path
        self._records = _read(path) if resume else {}

    def add(self, record: Record) -> None:
        """Put a record in its epoch's place; later epochs, done before an interruption, are forgotten."""
        epoch = int(record["epoch"])
        self._records = {number: one for number, one in self._records.items() if number < epoch} | {epoch: record}
        storage.write_text(self._path, "".join(json.dumps(one) + "\n" for one in self._records.values()))


def _read(path: Path) -> dict[int, Record]:
    if not path.exists():
        return {}
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return {int(record["epoch"]): record for record in records}
