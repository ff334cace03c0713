"""Processes of this machine, and those that a command has started."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# `cluster` is imported from the root of this checkout.
sys.path.insert(0, str(Path(__file__).parents[2]))

from cluster.process import children

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Process:
    """A process, known by its start as well, since numbers are used again."""

    pid: int
    started: int
    name: str = field(compare=False)

    def is_alive(self) -> bool:
        status = children.status(self.pid)
        return status is not None and status.started == self.started

    def describe(self) -> str:
        """Its name, state and command line, for the record."""
        with suppress(OSError):
            command = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
            if status := children.status(self.pid):
                return f"{self.name} ({status.state}: {command.replace(str(ROOT), '.')[-120:]})"
        return self.name

    def is_working(self) -> bool:
        """Whether it is a worker of Ray that does something; Ray's agents have such titles too."""
        title = ""
        with suppress(OSError):
            title = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace").split("\0")[0]
        return title.startswith("ray::") and "IDLE" not in title and "Agent" not in title


def processes() -> set[Process]:
    """Every living process."""
    return _living(int(folder.name) for folder in Path("/proc").glob("[0-9]*"))


def descendants(root: int) -> set[Process]:
    """What a process has started, directly or through others."""
    return _living(children.descendants(root))


def marked(mark: str) -> set[Process]:
    """Processes that have `mark` in their environment: also those whose parents have ended."""
    having_it = set()
    for process in processes():
        with suppress(OSError):
            if mark in Path(f"/proc/{process.pid}/environ").read_text(errors="replace"):
                having_it.add(process)
    return having_it


def _living(pids: Iterable[int]) -> set[Process]:
    statuses = ((pid, children.status(pid)) for pid in pids)
    return {Process(pid, status.started, status.name) for pid, status in statuses if status}
