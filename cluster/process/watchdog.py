"""A small process that ends what a killed command leaves running.

After `kill -9` of a command the kernel ends its Ray, and its workers see that. A worker that is just starting does not:
it waits a minute for the Ray that is gone. The watchdog waits for the end of the command, which closes the pipe between
them however it comes, and then kills what has the command's run folder in its environment.

It is started as a script and imports nothing of raygene's, so that it costs 15 ms and 8 MB. Linux only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

GRACE_S = 3.0
"""Seconds that processes have to end by themselves when their Ray is gone."""
LIMIT_S = 25.0
_POLL_S = 0.2


@contextmanager
def ends_orphans(variable: str, value: str) -> Iterator[None]:
    """Have the processes with a variable in their environment end with this one, even if this one is killed.

    Args:
        variable: its name.
        value: its value, which no other command's processes have.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    # In a session of its own, so that a signal to the whole group of the command leaves it.
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, variable, value],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: text for name, text in os.environ.items() if name != variable},
        cwd="/",
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def kill_orphans(variable: str, value: str) -> None:
    """Kill the processes with a variable in their environment until none is left, for `LIMIT_S` seconds at most."""
    entry = os.fsencode(f"{variable}={value}")
    deadline = time.monotonic() + LIMIT_S
    time.sleep(_POLL_S)
    until = time.monotonic() + GRACE_S
    while (living := _with_entry(entry)) and time.monotonic() < deadline:
        if time.monotonic() > until:
            for process in living:
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(_POLL_S)


def _with_entry(entry: bytes) -> list[int]:
    """The ids of the living processes of this user with an entry in their environment, as they were started."""
    processes = []
    for name in os.listdir("/proc"):  # noqa: PTH208 (pathlib would double the time to start)
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as stream:  # noqa: PTH123
                if entry in stream.read().split(b"\0"):
                    processes.append(int(name))
    return processes


if __name__ == "__main__":
    # Signals to the command's terminal are for the command.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    kill_orphans(*sys.argv[1:])
