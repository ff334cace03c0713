"""Work in a thread beside the main one, where an interrupt would end in Ray's own handler and say nothing."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

GRACE_S = 30.0
Interrupt = Callable[[], None]


def do(
    work: Callable[[], Any], ask_to_stop: Interrupt | None = None, grace: Callable[[], float] = lambda: GRACE_S
) -> Exception | None:
    """Do work, and pass an interrupt on to it.

    Args:
        work: what is done.
        ask_to_stop: called at the first interrupt (SIGINT, SIGTERM), after which the work may end by itself; None: an
            interrupt is raised at once.
        grace: seconds it is given for that; asked again and again.

    Returns:
        What was raised.

    Raises:
        KeyboardInterrupt: it was interrupted; if `ask_to_stop` was called, when the work has ended, or its time has, or at the
            second interrupt.
    """
    failure: BaseException | None = None

    def run_it() -> None:
        nonlocal failure
        try:
            work()
        except BaseException as error:
            failure = error

    thread = threading.Thread(target=run_it, daemon=True)
    with _interrupts() as interrupts:
        thread.start()
        asked = None
        while thread.is_alive():
            thread.join(timeout=0.1)
            if interrupts and asked is None:
                if ask_to_stop is None:
                    raise KeyboardInterrupt
                ask_to_stop()
                asked = time.monotonic()
            if asked is not None and (len(interrupts) > 1 or time.monotonic() - asked > grace()):
                raise KeyboardInterrupt
    if asked is not None:
        raise KeyboardInterrupt
    if failure is not None and not isinstance(failure, Exception):
        raise failure
    return failure


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of being ended by them; only the main thread can."""
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: seen.append(number))
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
