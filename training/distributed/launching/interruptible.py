"""Runs work on a thread of its own, so that an interrupt reaches this project's handler and not Ray's."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

GRACE_S = 30.0
REPEAT_S = 1.0
"""A signal that follows sooner is the same request: `timeout` sends it to the process and then to its group."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Interrupt = Callable[[], None]


def run(
    work: Callable[[], Any],
    request_stop: Interrupt | None = None,
    grace: Callable[[], float] = lambda: GRACE_S,
    require: Callable[[], None] = lambda: None,
) -> Exception | None:
    """Run work, and pass an interrupt on to it.

    Args:
        work: called once, on a thread of its own.
        request_stop: called at the first interrupt (one of `INTERRUPTS`), after which the work may end by itself;
            None: an interrupt is raised at once.
        grace: seconds that the work has to end by itself; called again and again, for it may change.
        require: called again and again while there was no interrupt; what it raises is raised at once, and the work is
            left behind.

    Returns:
        The exception that the work raised, or None.

    Raises:
        KeyboardInterrupt: there was an interrupt. If `request_stop` was called, it is raised when the work has ended,
            when the grace has, or at the second interrupt. Its argument is the signal's number.
    """
    failure: BaseException | None = None

    def catch_failure() -> None:
        nonlocal failure
        try:
            work()
        except BaseException as error:
            failure = error

    thread = threading.Thread(target=catch_failure, daemon=True)
    with _collected_interrupts() as interrupts:
        thread.start()
        requested_at = None
        while thread.is_alive():
            thread.join(timeout=0.1)
            if interrupts and requested_at is None:
                if request_stop is None:
                    raise KeyboardInterrupt(interrupts[0])
                request_stop()
                requested_at = time.monotonic()
            if requested_at is None:
                require()
            elif len(interrupts) > 1 or time.monotonic() - requested_at > grace():
                raise KeyboardInterrupt(interrupts[0])
    # It may have come while the work ended by itself.
    if interrupts:
        raise KeyboardInterrupt(interrupts[0])
    if failure is not None and not isinstance(failure, Exception):
        raise failure
    return failure


@contextmanager
def _collected_interrupts() -> Iterator[list[int]]:
    """Collect interrupts in a list instead of being ended by them; only the main thread can."""
    signals: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    handlers = {number: signal.getsignal(number) for number in INTERRUPTS}
    previous = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    first_at = 0.0

    def collect(number: int, frame: FrameType | None) -> None:
        nonlocal first_at
        if not signals:
            first_at = time.monotonic()
        elif time.monotonic() - first_at < REPEAT_S:
            return
        signals.append(number)

    for number in previous:
        signal.signal(number, collect)
    try:
        yield signals
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
