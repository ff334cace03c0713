"""The processes that this one, or another one, has started, directly or through others; the end of this one's.

Linux only: they are found in `/proc`. Elsewhere there are none to be found.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.02


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that `descendants` finds it (prctl(2))."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Status(NamedTuple):
    """What the kernel says of a process that has not ended: proc(5).

    Attributes:
        name: of its program.
        state: a letter, such as S for one that sleeps.
        parent: its id.
        started: clock ticks from the start of the machine on; tells a process from a later one of the same id.
    """

    name: str
    state: str
    parent: int
    started: int


def status(process: int) -> Status | None:
    """The status of a process; None if it has ended."""
    try:
        # PID (NAME) STATE PARENT …, where a name may hold blanks and brackets.
        text = (PROC / str(process) / "stat").read_text(errors="replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return None if fields[0] in "ZX" else Status(name, fields[0], int(fields[1]), int(fields[19]))


def is_running(process: int) -> bool:
    """Whether a process exists and has not ended."""
    return status(process) is not None


def descendants(ancestor: int | None = None) -> dict[int, str]:
    """Process id to name of all living processes that a process has started, directly or through others.

    Args:
        ancestor: id of the process; None for this one.
    """
    children: dict[int, list[tuple[int, str]]] = {}
    for folder in PROC.glob("[0-9]*"):
        if child := status(int(folder.name)):
            children.setdefault(child.parent, []).append((int(folder.name), child.name))
    living, parents = {}, [os.getpid() if ancestor is None else ancestor]
    while parents:
        for process, name in children.get(parents.pop(), []):
            living[process] = name
            parents.append(process)
    return living


def kill_all(timeout_s: float = 5.0) -> None:
    """Kill all descendants, and wait until they are gone or `timeout_s` seconds have passed."""
    deadline = time.monotonic() + timeout_s
    while (living := descendants()) and time.monotonic() < deadline:
        for process in living:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_POLL_S)
