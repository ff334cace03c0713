"""Notices when Ray itself is gone: a process of the local Ray, or the GCS (the head's service) of a cluster.

Ray waits a minute for a lost GCS and then ends the process with lines of its own, and some of its calls wait for a lost
raylet for ever.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from cluster.process import children, signals
from pipelines.errors import ResourceError

INTERVAL_S = 0.1
"""Short, because Ray's library writes lines of its own soon after a loss."""
GCS_INTERVAL_S = 5.0
GCS_PATIENCE_S = 40.0
"""A head that restarts with its state stored elsewhere comes back within this time."""
LOCAL_PROCESSES = ("gcs_server", "raylet")
_LOST = signal.SIGUSR2


def local_processes() -> dict[str, int]:
    """Name to process id of those without which a local Ray, started by this process, cannot work."""
    return {name: process for process, name in children.descendants().items() if name in LOCAL_PROCESSES}


def lost_process(processes: Mapping[str, int]) -> str | None:
    """What was lost of a local Ray, if any of its processes has ended.

    Args:
        processes: from `local_processes`.
    """
    for name, process in processes.items():
        if not children.is_running(process):
            return f"{name} of the local Ray (process {process}) has ended"
    return None


class GcsProbe:
    """Tells whether a cluster's GCS has not been reachable for `GCS_PATIENCE_S`.

    Args:
        address: `host:port`.
        clock: tells the time in seconds.
    """

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        host, _, port = address.rpartition(":")
        self._address, self._target = address, (host.strip("[]"), int(port))
        self._clock = clock
        self._reached_at = clock()
        self._tried_at = self._reached_at

    def __call__(self) -> str | None:
        """What was lost, or None; connects every few seconds at most."""
        now = self._clock()
        if now - self._tried_at < GCS_INTERVAL_S:
            return None
        self._tried_at = now
        try:
            socket.create_connection(self._target, timeout=GCS_INTERVAL_S).close()
        except OSError as error:
            if self._clock() - self._reached_at < GCS_PATIENCE_S:
                return None
            reason = error.strerror or str(error)
            return f"the head of the cluster ({self._address}) has not answered for {GCS_PATIENCE_S:.0f} s ({reason})"
        self._reached_at = self._clock()
        return None


class RayWatch:
    """Watches Ray on a thread, and raises KeyboardInterrupt in the main thread once when it is lost.

    Args:
        probe: what was lost, or None.
        on_loss: called with it, before the main thread is interrupted.
    """

    def __init__(self, probe: Callable[[], str | None], on_loss: Callable[[str], None]) -> None:
        self._probe, self._on_loss = probe, on_loss
        self._lock, self._ended = threading.Lock(), threading.Event()
        self.lost: str | None = None

    def check(self) -> str | None:
        """What was lost by now, or None."""
        with self._lock:
            if self.lost is None and (lost := self._probe()):
                self.lost = lost
                self._on_loss(lost)
            return self.lost

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block lasts; only the main thread can be interrupted."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = signal.signal(_LOST, _interrupt)
        thread = threading.Thread(target=self._watch, args=(threading.get_ident(),), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            signal.signal(_LOST, previous)

    def _watch(self, main_thread: int) -> None:
        while not self._ended.wait(INTERVAL_S):
            if self.check():
                if not self._ended.is_set():
                    signal.pthread_kill(main_thread, _LOST)
                return


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def watched_ray(*, is_local: bool) -> Iterator[None]:
    """Watch the open Ray while the context lasts, and close it at its end.

    Args:
        is_local: whether this process has started it.

    Raises:
        ResourceError: Ray was lost.
    """
    import ray

    if is_local:
        processes = local_processes()
        watch = RayWatch(lambda: lost_process(processes), _end_without_ray)
    else:
        probe = GcsProbe(ray.get_runtime_context().gcs_address)
        watch = RayWatch(probe, _end_without_ray)
    try:
        with watch.watching():
            yield
    except BaseException as error:
        # What a call of Ray raises without Ray says less.
        if lost := watch.check():
            raise _error_of_loss(lost) from error
        if isinstance(error, KeyboardInterrupt):
            signals.begin_ending()
        raise
    finally:
        # Without its own processes Ray waits for them.
        if watch.lost is None:
            with signals.kept_handlers():
                ray.shutdown()


def _error_of_loss(lost: str) -> ResourceError:
    return ResourceError(lost, "run the same command again, with more memory if the system ended it")


def _end_without_ray(lost: str) -> None:
    """Have this process end soon, whatever Ray waits for."""
    signals.begin_ending(1, f"error: {_error_of_loss(lost)}")
