"""What time it is on another node, within the time that the answer takes: milliseconds, for the process there runs already.

Imports nothing else of raygene, for what an import takes would be taken for the clock's error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 3


@dataclass(frozen=True)
class Reading:
    """A clock, read between two moments of this machine's; all in seconds since 1970."""

    asked: float
    told: float
    heard: float

    @property
    def least(self) -> float:
        """Seconds by which the clock is off at least, whenever it was read."""
        return max(self.asked - self.told, self.told - self.heard, 0.0)

    @property
    def most(self) -> float:
        """Seconds by which it is off at most."""
        return max(abs(self.told - self.asked), abs(self.heard - self.told))


def now() -> float:
    """Seconds since 1970, here."""
    return time.time()


def read(ask: Callable[[], float], rounds: int = ROUNDS) -> Reading:
    """Ask several times, and keep the answer that came fastest: the first has to start a process.

    Args:
        ask: gives the other clock's seconds.
        rounds: how often.
    """
    readings = []
    for _ in range(rounds):
        asked = time.time()
        told = ask()
        readings.append(Reading(asked, told, time.time()))
    return min(readings, key=lambda one: one.heard - one.asked)
