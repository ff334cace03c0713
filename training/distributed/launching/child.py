"""Runs a function in one child process, without Ray: what `launch` does for one worker on a CPU, seconds sooner.

A child that dies is started again and resumes, as a worker of Ray Train. It ends with this process, however that ends.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from pipelines.errors import one_line
from training.distributed import stop_signal
from training.distributed.launching import interruptible
from training.distributed.launching.interruptible import Interrupt
from training.distributed.launching.launch import ENVIRONMENT, Spec, stopped
from training.distributed.launching.received import OnEvent, Received
from training.distributed.messages import EventQueue

_MOST_KEPT = 1 << 20
# The child has to find modules where this process has found them before it imports any of them.
_BEGIN = (
    "import pickle, sys; from multiprocessing.connection import Connection; channel = Connection({handle}); "
    "sys.path[:] = pickle.loads(channel.recv_bytes()); "
    "from training.distributed.launching import child; child.serve(channel)"
)


def run_in_child(
    function: Callable[[Spec, EventQueue], None],
    spec: Spec,
    max_failures: int,
    log: Path,
    on_event: OnEvent,
    request_stop: Interrupt | None = None,
) -> None:
    """Run a function in a child process until it returns.

    Args:
        function: called in the child with `spec` and its end of the event queue; it is pickled by name.
        spec: a frozen dataclass that can be pickled.
        max_failures: how many times a dead child is started again.
        log: file to which what a child has printed is added when it dies.
        on_event: called with every event in order, but for `WorkerFailed`, on a thread of its own. An exception that it
            raises is raised when the child has returned.
        request_stop: called at the first interrupt (SIGINT, SIGTERM), after which a child that has sent an event has
            `interruptible.GRACE_S` to return; None: an interrupt ends it at once.

    Raises:
        RaygeneError: the error of the child's `WorkerFailed`.
        TrainingError: the child died more often than `max_failures`.
        KeyboardInterrupt: there was an interrupt; if `request_stop` was called, after the child has returned.
    """
    received, is_interrupted = Received(on_event), threading.Event()
    processes: list[subprocess.Popen[bytes]] = []

    def request() -> None:
        is_interrupted.set()
        if request_stop is not None:
            request_stop()

    def until_it_returns() -> None:
        for attempt in range(max_failures + 1):
            with _started(function, spec) as (process, channel, output):
                processes.append(process)
                _receive(channel, received)
                if process.wait() == 0 or received.errors or is_interrupted.is_set():
                    return
                printed = _keep(output, log)
                if attempt == max_failures:
                    where = f"or see {log}" if printed else "when the machine is less busy"
                    raise stopped(_last_words(process.returncode, printed), where=where)

    failure: BaseException | None = None
    try:
        failure = interruptible.run(until_it_returns, request if request_stop else None, received.grace)
    except KeyboardInterrupt as error:
        failure = error
    finally:
        is_interrupted.set()
        for process in processes:
            process.kill()
    received.raise_first(failure)
    if failure is not None:
        raise failure


@contextmanager
def _started(
    function: Callable[[Any, EventQueue], None], spec: Any
) -> Iterator[tuple[subprocess.Popen[bytes], Connection, IO[bytes]]]:
    """A child that runs a function, the channel on which its events come, and the file of what it prints."""
    channel, other_end = Pipe()
    with channel, tempfile.TemporaryFile() as output:
        with other_end:
            process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN.format(handle=other_end.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[other_end.fileno()],
                env=os.environ | ENVIRONMENT,
            )
        try:
            # It may have died already.
            with suppress(OSError):
                channel.send_bytes(pickle.dumps(sys.path))
                channel.send_bytes(pickle.dumps((function, spec)))
            yield process, channel, output
        finally:
            process.kill()
            process.wait()


def _receive(channel: Connection, received: Received) -> None:
    """Handle the events of a child until it has ended."""
    with suppress(EOFError, OSError):
        while True:
            received.handle(channel.recv_bytes())


def _keep(output: IO[bytes], log: Path) -> str:
    """Add what a child has printed to a file; return its end."""
    output.seek(0, os.SEEK_END)
    output.seek(max(0, output.tell() - _MOST_KEPT))
    printed = output.read()
    # The disk may be what it died of.
    with suppress(OSError):
        if printed.strip():
            with log.open("ab") as stream:
                stream.write(printed)
    return printed.decode(errors="replace")


def _last_words(status: int, printed: str) -> str:
    """Why a child has died: the signal, or the last line that it printed."""
    if status < 0:
        with suppress(ValueError):
            return f"the worker was ended by {signal.Signals(-status).name}"
    lines = [line for line in printed.split("\n") if line.strip()]
    return one_line(lines[-1], 200) if lines else f"the worker ended with status {status}"


class _Channel:
    """The `put` of a queue, to the parent."""

    def __init__(self, channel: Connection) -> None:
        self._channel = channel

    def put(self, message: bytes) -> None:
        self._channel.send_bytes(message)


def serve(channel: Connection) -> None:
    """Be the child: run the function that comes over the channel, and end when the parent does."""
    # The terminal sends these to parent and child alike; the parent decides.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stop_signal.install_handler()
    function, spec = pickle.loads(channel.recv_bytes())

    def end_with_parent() -> None:
        with suppress(EOFError, OSError):
            channel.recv_bytes()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True, name="parent").start()
    function(spec, EventQueue(_Channel(channel)))
    sys.stdout.flush()
    # Nothing is left to do, and no thread to wait for: every event has arrived with the last of them.
    os._exit(0)
