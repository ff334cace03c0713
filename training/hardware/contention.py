"""How long this thread was ready to compute but had no CPU, because others had them. Linux only; a call takes 25 µs."""

from __future__ import annotations

from pathlib import Path

SCHEDULER = Path("/proc/thread-self/schedstat")


def queued_seconds(statistics: Path = SCHEDULER) -> float | None:
    """Seconds that the calling thread has waited for a CPU since it began; None where the system does not report them.

    Args:
        statistics: the scheduler's file for a thread: nanoseconds run, nanoseconds waited, and time slices.
    """
    try:
        return int(statistics.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None
