"""What time it is on another node, within the time that the answer takes: milliseconds, for the process there runs already.

Imports nothing else of raygene, for what an import takes would be taken for the clock's error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer", bound=Hashable)
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


def read(
    asks: Sequence[Callable[[], Answer]],
    ready: Callable[[list[Answer], float], Sequence[Answer]],
    tell: Callable[[Answer], float | None],
    seconds: float,
    rounds: int = ROUNDS,
) -> list[Reading | None]:
    """Ask every clock several times, all at once, and keep of each the answer that came fastest: the first may have to start a process.

    Args:
        asks: each asks one clock, and returns what its answer will be had from.
        ready: those of some that are there, as soon as one is, or after so many seconds.
        tell: the clock's seconds of an answer that is there; None if it failed.
        seconds: for all of it.
        rounds: how often each is asked.

    Returns:
        A reading for each; None of a clock that gave no answer in time.
    """
    readings: list[list[Reading]] = [[] for _ in asks]
    open_: dict[Answer, tuple[int, float]] = {}

    def ask(index: int) -> None:
        asked = time.time()
        open_[asks[index]()] = index, asked

    end = time.monotonic() + seconds
    for index in range(len(asks)):
        ask(index)
    while open_ and (left := end - time.monotonic()) > 0:
        found = ready(list(open_), left)
        heard = time.time()
        for answer in found:
            index, asked = open_.pop(answer)
            if (told := tell(answer)) is None:
                continue
            readings[index].append(Reading(asked, told, heard))
            if len(readings[index]) < rounds:
                ask(index)
    return [min(each, key=lambda one: one.heard - one.asked, default=None) for each in readings]
