"""How far a stage is, as text: what is done of what, how fast, and the time left."""

from __future__ import annotations

SECONDS = "s"
"""The unit of a stage that only waits, which has no rate."""
MIN_SECONDS = 2.0
"""A rate is shown from here on."""


def position(done: float, total: float | None, unit: str) -> str:
    """Such as `1,234 of 5,678 windows`."""
    of = f" of {_amount(total, unit)}" if total else ""
    name = unit if unit != "bases" or max(done, total or 0) < 1e6 else "Mb"
    return f"{_amount(done, unit, total)}{of} {name}".rstrip()


def _amount(value: float, unit: str, total: float | None = None) -> str:
    return f"{value / 1e6:,.1f}" if unit == "bases" and max(value, total or 0) >= 1e6 else f"{value:,.0f}"


def speed(done: float, total: float | None, unit: str, seconds: float) -> list[str]:
    """Rate and time left, such as `312 windows/s` and `14 s left`; none at the beginning, when there is no rate yet.

    Args:
        done: so far.
        total: all; None if unknown.
        unit: what is counted.
        seconds: since the beginning.
    """
    if done <= 0 or seconds < MIN_SECONDS or unit == SECONDS:
        return []
    rate, parts = done / seconds, list[str]()
    if unit:
        parts.append(f"{_rate(rate)} {unit}/s" if rate >= 0.1 else f"{duration(1 / rate)} each")
    if total and done < total:
        parts.append(f"{duration((total - done) / rate)} left")
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
