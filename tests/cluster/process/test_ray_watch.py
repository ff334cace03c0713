"""What tells that Ray is lost, with real processes and sockets in its place."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import ray

from cluster.process import ray_watch
from cluster.process.ray_watch import GCS_INTERVAL_S, GCS_PATIENCE_S, GcsProbe, RayWatch, lost_process


def test_a_process_that_ends_is_named() -> None:
    process = subprocess.Popen(["sleep", "60"])
    processes = {"raylet": process.pid}
    assert lost_process(processes) is None
    process.kill()
    process.wait()
    assert lost_process(processes) == f"raylet of the local Ray (process {process.pid}) has ended"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@contextmanager
def head() -> Iterator[tuple[socket.socket, Clock, GcsProbe]]:
    """The socket of a head, which refuses until it listens, and a probe of it with its clock."""
    clock = Clock()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener, clock, GcsProbe(f"127.0.0.1:{listener.getsockname()[1]}", clock)


def test_a_head_that_does_not_answer_is_lost_after_some_time() -> None:
    with head() as (listener, clock, probe):
        listener.listen()
        clock.advance(GCS_PATIENCE_S)
        assert probe() is None
    clock.advance(GCS_PATIENCE_S - 1)
    assert probe() is None
    clock.advance(GCS_INTERVAL_S)
    assert "has not answered" in (probe() or "")


def test_a_head_is_not_asked_again_at_once() -> None:
    with head() as (_, clock, probe):
        clock.advance(GCS_PATIENCE_S - 1)
        assert probe() is None
        clock.advance(GCS_INTERVAL_S - 1)
        assert probe() is None


def test_a_head_that_comes_back_is_not_lost() -> None:
    with head() as (listener, clock, probe):
        clock.advance(GCS_PATIENCE_S - 1)
        assert probe() is None
        listener.listen()
        clock.advance(GCS_INTERVAL_S)
        assert probe() is None


def test_what_waits_for_ever_without_ray_is_interrupted() -> None:
    losses: list[str] = []
    began = time.monotonic()
    watch = RayWatch(lambda: "it is gone" if time.monotonic() - began > 0.3 else None, losses.append)
    before = signal.getsignal(signal.SIGUSR2)
    with pytest.raises(KeyboardInterrupt), watch.watching():
        time.sleep(60)
    assert time.monotonic() - began < 30
    assert losses == ["it is gone"]
    assert watch.lost == watch.check() == "it is gone"
    assert signal.getsignal(signal.SIGUSR2) is before


def test_a_ray_that_lives_disturbs_nobody() -> None:
    watch = RayWatch(lambda: None, lambda lost: pytest.fail(lost))
    with watch.watching():
        time.sleep(0.3)
    assert watch.lost is None


def test_handlers_are_kept_when_ray_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ctypes.CDLL(None)

    def end_as_rays_core_does() -> None:
        library.signal(int(signal.SIGTERM), None)

    monkeypatch.setattr(ray, "shutdown", end_as_rays_core_does)
    monkeypatch.setattr(ray_watch, "local_processes", dict)
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with ray_watch.watched_ray(is_local=True):
            pass
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
