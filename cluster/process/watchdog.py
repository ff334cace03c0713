"""A small process that ends what a killed command leaves running.

After `kill -9` of a command the kernel ends its Ray, and its workers see that. A worker that is just starting does not:
it waits a minute for the Ray that is gone. The watchdog waits for the end of the command, which closes the pipe between
them however it comes, and then kills what belongs to the command's run: a process with the run folder in its
environment, or one of Ray's with a file of the folder open. A process that sets its title, as Ray's agents do,
overwrites what `/proc` shows of its environment, in part or whole.

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
RAY_TITLE = b"ray::"
_POLL_S = 0.2


@contextmanager
def ends_orphans(variable: str, folder: str) -> Iterator[None]:
    """Have the processes of a run end with this one, even if this one is killed.

    Args:
        variable: name of the variable that they have in their environment.
        folder: its value, the folder of the run, which no other command's processes have or use.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    # In a session of its own, so that a signal to the whole group of the command leaves it.
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, variable, folder],
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


def kill_orphans(variable: str, folder: str) -> None:
    """Kill the processes of a run until none is left, for `LIMIT_S` seconds at most."""
    deadline = time.monotonic() + LIMIT_S
    time.sleep(_POLL_S)
    until = time.monotonic() + GRACE_S
    while (living := _of_run(variable, folder)) and time.monotonic() < deadline:
        if time.monotonic() > until:
            for process in living:
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(_POLL_S)


def _of_run(variable: str, folder: str) -> list[int]:
    """The ids of the living processes with a run's variable, as they were started, and of Ray's with its files open."""
    entry, prefix = os.fsencode(f"{variable}={folder}"), folder + os.sep
    processes = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (pathlib starts slower)
    return [
        process
        for process in processes
        if entry in _content(process, "environ").split(b"\0")
        or (_content(process, "cmdline").startswith(RAY_TITLE) and _has_open(process, prefix))
    ]


def _content(process: int, name: str) -> bytes:
    with suppress(OSError), open(f"/proc/{process}/{name}", "rb") as stream:  # noqa: PTH123
        return stream.read()
    return b""


def _has_open(process: int, prefix: str) -> bool:
    with suppress(OSError):
        for name in os.listdir(f"/proc/{process}/fd"):  # noqa: PTH208
            with suppress(OSError):
                if os.readlink(f"/proc/{process}/fd/{name}").startswith(prefix):  # noqa: PTH115
                    return True
    return False


if __name__ == "__main__":
    # Signals to the command's terminal are for the command.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    kill_orphans(*sys.argv[1:])
