from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray.util.queue
import torch

from pipelines import storage
from pipelines.errors import DatasetError, TrainingError
from training.distributed.launching.launch import WorkerGroup, launch
from training.distributed.messages import EventQueue, WorkerEvent, WorkerFailed
from training.distributed.nodes.placement import Placement

pytestmark = pytest.mark.ray
ONE = WorkerGroup(1, 1, Placement(1, use_gpu=False), max_failures=1)


@dataclass(frozen=True)
class Counted(WorkerEvent):
    number: int


@dataclass(frozen=True)
class Ready(WorkerEvent):
    pass


@dataclass(frozen=True)
class Saved(WorkerEvent):
    pass


def count(last: int, events: EventQueue) -> None:
    for number in range(last):
        events.send(Counted(number))
    events.send_and_wait(Counted(last))


def send_unreadable(spec: None, events: EventQueue) -> None:
    events._pending.put(b"no pickle")
    events.send_and_wait(Counted(1))


def refuse(spec: None, events: EventQueue) -> None:
    events.send_and_wait(WorkerFailed(DatasetError("rows: none", "build again")))
    raise RuntimeError("after which Ray would start it again")


def fail(spec: None, events: EventQueue) -> None:
    events.send_and_wait(Counted(0))
    raise RuntimeError("the disk\nis on fire")


def wait_for_file(path: Path, events: EventQueue) -> None:
    events.send(Ready())
    while not path.exists():
        time.sleep(0.05)
    events.send_and_wait(Saved())


def send_until_released(spec: tuple[int, Path], events: EventQueue) -> None:
    driver, release = spec
    os.kill(driver, signal.SIGINT)
    deadline = time.monotonic() + 60
    while not release.exists() and time.monotonic() < deadline:
        events.send_and_wait(Ready())


class InThisProcess:
    """What stands for Ray's trainer: calls the function here, again after a failure. Ray's own takes ten seconds."""

    def __init__(self, function: Callable[[Any], None], *, train_loop_config: Any, run_config: Any, **_: Any) -> None:
        self._call = partial(function, train_loop_config)
        self._attempts = 1 + run_config.failure_config.max_failures

    def fit(self) -> None:
        for attempt in range(1, self._attempts + 1):
            try:
                return self._call()
            except Exception:
                if attempt == self._attempts:
                    raise


LIMIT_S = 15
TWO = WorkerGroup(2, 2, Placement(1, use_gpu=False), max_failures=0)


@dataclass(frozen=True)
class Decoding:
    """Where one of two workers waits for a split that another process decodes; the one that comes first has it."""

    folder: Path

    @property
    def waits(self) -> Path:
        """A file that there is from when a worker waits."""
        return self.folder / "waits"


def wait_for_lock(spec: Decoding) -> None:
    """What a worker does whose split another process of its machine decodes."""
    try:
        (spec.folder / "first").touch(exist_ok=False)
    except FileExistsError:
        spec.waits.touch()
        with storage.only_writer(spec.folder / "entry", wait=True):
            pass


def meet(spec: Decoding, events: EventQueue) -> None:
    total = torch.ones(1)
    torch.distributed.all_reduce(total)
    events.send_and_wait(Counted(int(total)))


def wait_and_meet(spec: Decoding, events: EventQueue) -> None:
    wait_for_lock(spec)
    meet(spec, events)


HOLD_LOCK = """
import fcntl, sys
stream = open(sys.argv[1], "w")
fcntl.flock(stream, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[Callable[[], None]]:
    """Another process holds a lock until the function is called, or the block ends."""
    command = [sys.executable, "-c", HOLD_LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder.stdin.close
        finally:
            holder.kill()


class QueueHere:
    """What stands for Ray's queue, whose actor takes a process for every test: with Ray, test_faults has the whole."""

    def __init__(self, **_: Any) -> None:
        self._messages = queue.SimpleQueue[bytes]()

    def put(self, message: bytes) -> None:
        self._messages.put(message)

    def get(self, block: bool = True, timeout: float | None = None) -> bytes:
        try:
            return self._messages.get(block, timeout)
        except queue.Empty:
            raise ray.util.queue.Empty from None

    def qsize(self) -> int:
        return self._messages.qsize()

    def shutdown(self, force: bool) -> None:
        pass


@pytest.fixture(params=["in this process", pytest.param("by Ray", marks=pytest.mark.full)])
def worker(request: pytest.FixtureRequest, ray_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the functions of the tests run."""
    if request.param == "in this process":
        monkeypatch.setattr("ray.train.torch.TorchTrainer", InThisProcess)
        monkeypatch.setattr("ray.util.queue.Queue", QueueHere)


@dataclass(frozen=True)
class Launched:
    """A launch whose callback raises at the second event: what it was called with, what was raised, what is left."""

    events: list[WorkerEvent]
    raised: Exception | None
    left_behind: list[Path]


@pytest.fixture
def launched(worker: None, tmp_path: Path) -> Launched:
    scratch, events = tmp_path, list[WorkerEvent]()

    def on_event(event: WorkerEvent) -> None:
        events.append(event)
        if event == Counted(1):
            raise ValueError("the callback's own")

    raised = None
    try:
        launch(count, 200, ONE, scratch, on_event)
    except ValueError as error:
        raised = error
    return Launched(events, raised, list(scratch.iterdir()))


def test_events_of_workers_arrive_in_order_and_nothing_is_left_behind(launched: Launched) -> None:
    assert launched.events == [Counted(number) for number in range(201)]
    assert launched.left_behind == []


def test_an_exception_of_the_callback_is_raised_after_the_workers_have_returned(launched: Launched) -> None:
    assert str(launched.raised) == "the callback's own"
    assert launched.events[-1] == Counted(200)


def test_a_handler_that_is_slower_than_ray_may_be_loses_no_event(
    ray_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.train.torch.TorchTrainer", InThisProcess)
    monkeypatch.setattr("ray.util.queue.Queue", QueueHere)
    monkeypatch.setattr("training.distributed.launching.launch.ANSWER_S", 1.0)
    events: list[WorkerEvent] = []

    def write_slowly(event: WorkerEvent) -> None:
        if not events:
            time.sleep(1.5)
        events.append(event)

    launch(count, 3, ONE, tmp_path, write_slowly)
    assert events == [Counted(number) for number in range(4)]


def process_of_queue(path: Path, events: EventQueue) -> None:
    actor = events._driver_queue.actor
    path.write_text(str(ray.get(actor.__ray_call__.remote(lambda _: os.getpid()))))
    events.send_and_wait(Saved())


def test_the_process_of_the_queue_ends_with_the_launch(
    ray_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.train.torch.TorchTrainer", InThisProcess)
    events: list[WorkerEvent] = []
    launch(process_of_queue, tmp_path / "process", ONE, tmp_path, events.append)
    assert events == [Saved()]
    process = Path("/proc", (tmp_path / "process").read_text())
    deadline = time.monotonic() + 60
    while process.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_workers_that_are_left_behind_keep_no_launch_from_ending(
    ray_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.train.torch.TorchTrainer", InThisProcess)
    monkeypatch.setattr("ray.util.queue.Queue", QueueHere)
    release = tmp_path / "release"
    with pytest.raises(KeyboardInterrupt):
        launch(send_until_released, (os.getpid(), release), ONE, tmp_path, lambda event: None)
    release.touch()


def test_an_error_that_a_worker_reports_is_raised_and_not_retried(worker: None, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="build again"):
        launch(refuse, None, ONE, tmp_path, lambda event: None)


def test_an_event_that_cannot_be_read_ends_the_run(worker: None, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="an event of a worker cannot be read"):
        launch(send_unreadable, None, ONE, tmp_path, lambda event: None)


def test_a_failure_is_retried_as_often_as_allowed_and_then_an_error_of_one_line(worker: None, tmp_path: Path) -> None:
    events: list[WorkerEvent] = []
    with pytest.raises(TrainingError, match="is on fire") as caught:
        launch(fail, None, ONE, tmp_path, events.append)
    assert events == [Counted(0), Counted(0)]
    assert "\n" not in str(caught.value)


def test_an_interrupt_asks_the_workers_to_stop_and_waits_for_them(worker: None, tmp_path: Path) -> None:
    events: list[WorkerEvent] = []

    def on_event(event: WorkerEvent) -> None:
        events.append(event)
        if isinstance(event, Ready):
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        launch(wait_for_file, tmp_path / "stop", ONE, tmp_path, on_event, (tmp_path / "stop").touch)
    assert events == [Ready(), Saved()]
    assert signal.getsignal(signal.SIGTERM) is before
    assert threading.current_thread() is threading.main_thread()


def interrupt_before_any_event(spec: tuple[int, Path, Path], events: EventQueue) -> None:
    driver, release, waited_for = spec
    os.kill(driver, signal.SIGINT)
    deadline = time.monotonic() + 60
    while not release.exists():
        if time.monotonic() > deadline:
            waited_for.touch()
            return
        time.sleep(0.05)


def test_an_interrupt_does_not_wait_for_workers_that_are_being_started(worker: None, tmp_path: Path) -> None:
    release, waited_for = tmp_path / "release", tmp_path / "waited_for"
    spec = (os.getpid(), release, waited_for)
    with pytest.raises(KeyboardInterrupt):
        launch(interrupt_before_any_event, spec, ONE, tmp_path, lambda event: None, lambda: None)
    assert not waited_for.exists()
    release.touch()


@pytest.fixture
def decoding(ray_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Decoding:
    """A split to wait for, longer than a collective may last."""
    monkeypatch.setattr("training.distributed.launching.launch.COLLECTIVE_TIMEOUT_S", LIMIT_S)
    return Decoding(tmp_path)


@pytest.mark.full
def test_waiting_longer_than_a_collective_may_ends_no_run_before_the_workers_form_a_group(decoding: Decoding) -> None:
    events: list[WorkerEvent] = []
    with locked(decoding.folder / ".entry.lock") as release:

        def release_late() -> None:
            while not decoding.waits.exists():
                time.sleep(0.1)
            time.sleep(2 * LIMIT_S)
            release()

        threading.Thread(target=release_late, daemon=True).start()
        launch(meet, decoding, TWO, decoding.folder, events.append, prepare=wait_for_lock)
    assert events == [Counted(2)] * 2


@pytest.mark.full
def test_waiting_longer_than_a_collective_may_ends_a_run_whose_workers_have_formed_a_group(decoding: Decoding) -> None:
    with locked(decoding.folder / ".entry.lock"), pytest.raises(TrainingError):
        launch(wait_and_meet, decoding, TWO, decoding.folder, lambda event: None)
    assert decoding.waits.exists()
