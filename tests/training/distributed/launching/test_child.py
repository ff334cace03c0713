from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.errors import DatasetError, TrainingError
from training.distributed import stop_signal
from training.distributed.launching import interruptible
from training.distributed.launching.child import run_in_child
from training.distributed.messages import EventQueue, WorkerEvent, WorkerFailed


@dataclass(frozen=True)
class Counted(WorkerEvent):
    number: int


def count(last: int, events: EventQueue) -> None:
    for number in range(last):
        events.send(Counted(number))
    events.send_and_wait(Counted(last))


def refuse(spec: None, events: EventQueue) -> None:
    events.send_and_wait(WorkerFailed(DatasetError("rows: none", "build again")))


def fail(spec: None, events: EventQueue) -> None:
    raise RuntimeError("the disk is on fire")


def die_once(marker: Path, events: EventQueue) -> None:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    events.send_and_wait(Counted(7))


def die(spec: None, events: EventQueue) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_file(path: Path, events: EventQueue) -> None:
    events.send_and_wait(Counted(os.getpid()))
    while not path.exists() and not stop_signal.is_terminated():
        time.sleep(0.02)
    events.send_and_wait(Counted(-1))


def print_much(last: int, events: EventQueue) -> None:
    sys.stdout.write("x" * 1_000_000)
    count(last, events)


def numbers(events: list[WorkerEvent]) -> list[int]:
    return [event.number for event in events if isinstance(event, Counted)]


@pytest.mark.parametrize("function", [count, print_much])
def test_every_event_arrives_in_order(function: object, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events: list[WorkerEvent] = []
    run_in_child(function, 500, 0, tmp_path / "log", events.append)  # type: ignore[arg-type]
    assert numbers(events) == list(range(501))
    assert capfd.readouterr() == ("", "")


def test_an_error_that_the_child_explains_is_raised_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="rows: none"):
        run_in_child(refuse, None, 3, tmp_path / "log", lambda event: None)


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    events: list[WorkerEvent] = []
    run_in_child(die_once, tmp_path / "marker", 1, tmp_path / "log", events.append)
    assert numbers(events) == [7]


def test_a_child_that_is_killed_too_often_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="SIGKILL"):
        run_in_child(die, None, 0, tmp_path / "log", lambda event: None)


def test_what_a_dead_child_has_printed_is_kept_and_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"see {tmp_path / 'log'}") as caught:
        run_in_child(fail, None, 1, tmp_path / "log", lambda event: None)
    assert "RuntimeError: the disk is on fire" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "log").read_text().count("Traceback") == 2


def test_an_error_of_the_callback_is_raised_when_the_child_has_returned(tmp_path: Path) -> None:
    def refuse_second(event: WorkerEvent) -> None:
        seen.append(event)
        if len(seen) == 2:
            raise ValueError("enough")

    seen: list[WorkerEvent] = []
    with pytest.raises(ValueError, match="enough"):
        run_in_child(count, 5, 0, tmp_path / "log", refuse_second)
    assert numbers(seen) == list(range(6))


@pytest.fixture
def heeded() -> Iterator[None]:
    """Every interrupt counts, also where `nohup` has started the tests: SIGHUP is ignored there, as it is for users."""
    previous = {number: signal.signal(number, signal.SIG_DFL) for number in interruptible.INTERRUPTS}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full), signal.SIGHUP])
def test_an_interrupt_lets_the_child_save(tmp_path: Path, number: signal.Signals, heeded: None) -> None:
    events: list[WorkerEvent] = []

    def interrupt_once(event: WorkerEvent) -> None:
        events.append(event)
        if len(events) == 1:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        run_in_child(wait_for_file, tmp_path / "stop", 3, tmp_path / "log", interrupt_once, (tmp_path / "stop").touch)
    assert numbers(events)[1:] == [-1]


def test_a_terminal_s_interrupt_does_not_end_the_child_itself(tmp_path: Path) -> None:
    events: list[WorkerEvent] = []

    def interrupt_child(event: WorkerEvent) -> None:
        events.append(event)
        if len(events) == 1:
            for number in (signal.SIGINT, signal.SIGHUP):
                os.kill(numbers(events)[0], number)
            threading.Timer(0.3, (tmp_path / "stop").touch).start()

    run_in_child(wait_for_file, tmp_path / "stop", 0, tmp_path / "log", interrupt_child)
    assert numbers(events)[1:] == [-1]


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from training.distributed.launching.child import run_in_child\n"
        "from tests.training.distributed.launching.test_child import wait_for_file\n"
        "show = lambda event: print(event.number, flush=True)\n"
        "run_in_child(wait_for_file, Path(sys.argv[1]), 0, Path(sys.argv[2]), show)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "never"), str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()
