"""Processes of this machine, and those that a command has started."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cluster.process import children

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Process:
    """A process, known by its start as well, since numbers are used again."""

    pid: int
    started: str
    name: str = field(compare=False)

    def is_alive(self) -> bool:
        with suppress(OSError):
            fields = Path(f"/proc/{self.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            return fields[0] not in "ZX" and fields[19] == self.started
        return False

    def describe(self) -> str:
        """Its name, state and command line, for the record."""
        with suppress(OSError):
            state = Path(f"/proc/{self.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            command = Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
            return f"{self.name} ({state}: {command.replace(str(ROOT), '.')[-120:]})"
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
    found = set()
    for process in processes():
        with suppress(OSError):
            if mark in Path(f"/proc/{process.pid}/environ").read_text(errors="replace"):
                found.add(process)
    return found


def _living(pids: Iterable[int]) -> set[Process]:
    found = set()
    for pid in pids:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
            fields = text.rpartition(")")[2].split()
            if fields[0] not in "ZX":
                found.add(Process(pid, fields[19], text.partition("(")[2].rpartition(")")[0]))
    return found
