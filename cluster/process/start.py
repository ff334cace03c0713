"""Signals that come while the command's own modules are imported: one line and the defined status.

Imports nothing that takes time, since it is the first that a command does.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType


def handle_signals() -> None:
    """End this process with one line at a signal, until `signals.install` is called; an ignored one stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    with suppress(OSError):
        os.write(2, f"raygene: interrupted{by} before anything was begun\n".encode())
    os._exit(128 + number)
