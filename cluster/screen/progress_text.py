"""How far a stage is, as text: what is done of what, how fast, and the time left."""

from __future__ import annotations

SECONDS = "s"
"""The unit of a stage that only waits, which has no rate."""
MIN_SECONDS = 2.0
"""A rate is shown from here on."""


def position(done: float, total: float | None, unit: str) -> str:
    """Such as `1,234 of 5,678 windows`, or `1 trial`."""
    of = f" of {_amount(total, unit)}" if total else ""
    name = unit if unit != "bases" or max(done, total or 0) < 1e6 else "Mb"
    if (total or done) == 1 and unit != SECONDS:
        name = name.removesuffix("es" if name.endswith("ches") else "s")
    return f"{_amount(done, unit, total)}{of} {name}".rstrip()


def _amount(value: float, unit: str, total: float | None = None) -> str:
    return f"{value / 1e6:,.1f}" if unit == "bases" and max(value, total or 0) >= 1e6 else f"{value:,.0f}"


class Speed:
    """How fast a stage is: measured from the end of its first part on.

    Until then it may have waited for Ray and for workers that start, and what an earlier run has done comes at once.

    Args:
        total: all that is to do; None if unknown.
        unit: what is counted.

    Attributes:
        done: so far.
    """

    def __init__(self, total: float | None, unit: str) -> None:
        self.total, self.unit, self.done = total, unit, 0.0
        self._began = self._last = self._done_before = 0.0
        self._parts = 0

    def advance(self, amount: float, now: float) -> None:
        """Count more as done.

        Args:
            amount: how much; 0 changes nothing.
            now: seconds of a clock that only goes forward.
        """
        if amount <= 0:
            return
        self.done += amount
        self._last = now
        if self._parts == 0:
            self._began, self._done_before = now, self.done
        self._parts += 1

    def text(self, now: float) -> list[str]:
        """Rate and time left, such as `312 windows/s` and `14 s left`; none while there is no rate yet.

        Args:
            now: of the same clock.
        """
        done, seconds = self.done - self._done_before, self._last - self._began
        if done <= 0 or seconds < MIN_SECONDS or self.unit == SECONDS:
            return []
        # A part that takes about as long as others is no reason to be slower, one that takes longer is.
        waited = now - self._last
        rate = done / (seconds + max(0.0, waited - seconds / (self._parts - 1)))
        parts = list[str]()
        if self.unit:
            parts.append(f"{_rate(rate)} {self.unit}/s" if rate >= 0.1 else f"{duration(1 / rate)} each")
        if self.total and self.done < self.total:
            parts.append(f"{duration(max(0.0, (self.total - self.done) / rate - waited))} left")
        return parts


def _rate(rate: float) -> str:
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if rate >= size:
            return f"{rate / (1e6 if letter == 'M' else 1e3):,.1f}{letter}"
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def duration(seconds: float) -> str:
    """Such as `42 s`, `3 min` or `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
