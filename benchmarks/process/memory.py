"""Memory of processes: of this one while it trains as a worker does, and of others by their folder in /proc."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from training.engine.process import heap

MEBIBYTE = 1 << 20
Readings = list[tuple[int, int]]


def status_bytes(*names: str) -> dict[str, int]:
    """What the system says of this process's memory, in bytes by name: `VmHWM` is the peak of `VmRSS`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: int(line.split()[1]) * 1024 for line in lines if (name := line.split(":")[0]) in names}


def unique_bytes(process: Path) -> int:
    """Memory that a process shares with no other (USS), from its folder in /proc.

    Raises:
        OSError: the process has ended, or belongs to another user.
    """
    lines = (process / "smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private"))


def record_steps() -> Readings:
    """Begin to record resident bytes after each step, before and after what is free is returned; the list grows."""
    readings: Readings = []
    ended = heap.FreedMemory.step_ended

    def step_ended(freed: heap.FreedMemory) -> None:
        before = heap.resident_bytes()
        ended(freed)
        readings.append((before, heap.resident_bytes()))

    heap.FreedMemory.step_ended = step_ended  # type: ignore[assignment, method-assign]
    return readings


def times_returned(readings: Readings) -> int:
    """After how many steps memory was returned: a mebibyte less is not that."""
    return sum(before - after > MEBIBYTE for before, after in readings)


def in_thread(function: Callable[[], object]) -> None:
    """Run a function in a thread of this process, as Ray does; what it raises is raised here."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
