"""How long this thread was ready to compute and had no CPU, because others had them. Linux tells; a look takes 25 µs."""

from __future__ import annotations

from pathlib import Path

SCHEDULER = Path("/proc/thread-self/schedstat")


def queued_seconds(told: Path = SCHEDULER) -> float | None:
    """Seconds that the calling thread has waited for a CPU since it began; None where the system does not tell.

    Args:
        told: the scheduler's account of a thread: nanoseconds run, nanoseconds waited, and slices.
    """
    try:
        return int(told.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
