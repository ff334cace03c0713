"""The processes that this one, or another one, has started, directly or through others, and their end.

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

PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.02


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that `descendants` finds it (prctl(2))."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_running(process: int) -> bool:
    """Whether a process exists and has not ended."""
    return _name_and_parent(process) is not None


def descendants(ancestor: int | None = None) -> dict[int, str]:
    """Process id to name of all living processes that a process has started, directly or through others.

    Args:
        ancestor: id of the process; None for this one.
    """
    children: dict[int, list[tuple[int, str]]] = {}
    for folder in PROC.glob("[0-9]*"):
        if found := _name_and_parent(int(folder.name)):
            children.setdefault(found[1], []).append((int(folder.name), found[0]))
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


def _name_and_parent(process: int) -> tuple[str, int] | None:
    """Name and parent of a process; None if it has ended."""
    try:
        # PID (NAME) STATE PARENT …, where a name may hold blanks and brackets: proc(5).
        text = (PROC / str(process) / "stat").read_text(errors="replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent = rest.split()[:2]
    return None if state in "ZX" else (name, int(parent))
