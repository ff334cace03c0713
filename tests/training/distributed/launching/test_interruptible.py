"""Work that is interrupted: what is asked of it, and which signal is raised."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from training.distributed.launching import interruptible


@pytest.fixture(autouse=True)
def _signals_are_not_ignored() -> Iterator[None]:
    # A test run in the background, or under nohup, has some ignored.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


def send(*numbers: signal.Signals, after_s: float = 0.2) -> None:
    """Send signals to this process, one right after the other, from a thread."""

    def act() -> None:
        time.sleep(after_s)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(0.05)

    threading.Thread(target=act, daemon=True).start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_work_is_asked_to_stop_and_the_signal_is_raised(number: signal.Signals) -> None:
    stop, saved = threading.Event(), []

    def work() -> None:
        stop.wait(10)
        saved.append(True)

    send(number)
    with pytest.raises(KeyboardInterrupt) as raised:
        interruptible.run(work, stop.set)
    assert raised.value.args == (number,)
    assert saved


def test_a_signal_that_is_sent_twice_at_once_still_has_the_work_save() -> None:
    stop, saved = threading.Event(), []

    def work() -> None:
        stop.wait(10)
        time.sleep(0.5)
        saved.append(True)

    send(signal.SIGTERM, signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        interruptible.run(work, stop.set)
    assert saved


def test_a_second_signal_later_on_ends_the_wait() -> None:
    stop, began = threading.Event(), time.monotonic()
    send(signal.SIGTERM, after_s=0.1)
    send(signal.SIGINT, after_s=1.4)
    with pytest.raises(KeyboardInterrupt) as raised:
        interruptible.run(lambda: threading.Event().wait(20), stop.set)
    assert raised.value.args == (signal.SIGTERM,)
    assert time.monotonic() - began < 15


def test_a_signal_at_the_moment_when_the_work_ends_is_not_lost() -> None:
    def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        interruptible.run(work, lambda: None)


def test_handlers_are_set_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in interruptible.INTERRUPTS]
    assert interruptible.run(lambda: None) is None
    assert [signal.getsignal(number) for number in interruptible.INTERRUPTS] == before
