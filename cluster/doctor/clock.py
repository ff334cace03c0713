"""Reads the clock of another node, to within the time that its answer takes: milliseconds in a running process.

Imports nothing else of raygene, because the time of an import would be taken for the clock's error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer", bound=Hashable)
ROUNDS = 3
"""How often each clock is read: the first answer may have to wait for a process to start."""


@dataclass(frozen=True)
class Reading:
    """A reading of a clock between two moments of this machine's; all in seconds since 1970.

    Attributes:
        sent: when the request was sent.
        time: what the clock showed.
        received: when the answer arrived.
    """

    sent: float
    time: float
    received: float

    @property
    def min_skew(self) -> float:
        """Seconds by which the clock is off at least, at whatever moment between the two it was read."""
        return max(self.sent - self.time, self.time - self.received, 0.0)

    @property
    def max_skew(self) -> float:
        """Seconds by which it is off at most."""
        return max(abs(self.time - self.sent), abs(self.received - self.time))


def now() -> float:
    """Seconds since 1970 on this machine."""
    return time.time()


def read(
    requests: Sequence[Callable[[], Answer]],
    ready: Callable[[list[Answer], float], Sequence[Answer]],
    value: Callable[[Answer], float | None],
    timeout_s: float,
    rounds: int = ROUNDS,
) -> list[Reading | None]:
    """Read several clocks at once, each several times; return for each the reading whose answer came fastest.

    Args:
        requests: each queries one clock, and returns a reference to its answer.
        ready: the answers that have arrived out of a list, once there is one, or after so many seconds.
        value: the clock's seconds in an answer that has arrived; None if the request failed.
        timeout_s: seconds for all readings together.
        rounds: how often each clock is read.

    Returns:
        A reading for each clock; None for one that gave no answer in time.
    """
    readings: list[list[Reading]] = [[] for _ in requests]
    pending: dict[Answer, tuple[int, float]] = {}

    def send(index: int) -> None:
        sent = time.time()
        pending[requests[index]()] = index, sent

    deadline = time.monotonic() + timeout_s
    for index in range(len(requests)):
        send(index)
    while pending and (left := deadline - time.monotonic()) > 0:
        answers = ready(list(pending), left)
        received = time.time()
        for answer in answers:
            index, sent = pending.pop(answer)
            if (seconds := value(answer)) is None:
                continue
            readings[index].append(Reading(sent, seconds, received))
            if len(readings[index]) < rounds:
                send(index)
    return [
        min(clock_readings, key=lambda reading: reading.received - reading.sent, default=None)
        for clock_readings in readings
    ]
