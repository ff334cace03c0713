"""What actors of the tests create; a module of its own, because every actor imports all of it."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from pipelines.errors import InputError


class Adds:
    """Adds a number; its process dies once for each file that is not there yet, or at every table."""

    def __init__(self, number: int, marker: Path | None, always: bool = False) -> None:
        self._number, self._marker, self._always = number, marker, always

    def __call__(self, table: pa.Table) -> pa.Table:
        if self._always:
            os._exit(1)
        if self._marker and not self._marker.exists():
            self._marker.touch()
            os._exit(1)
        return pa.table({"x": [value + self._number for value in table["x"].to_pylist()]})


class Refuses:
    def __call__(self, table: pa.Table) -> pa.Table:
        raise InputError("genome.fa: line 3: no letters", "fix it")


class Process:
    """Gives the number of its process."""

    def __call__(self, table: pa.Table) -> pa.Table:
        return pa.table({"x": [os.getpid()]})


class AnotherProcess(Process):
    """The same, of another map."""
