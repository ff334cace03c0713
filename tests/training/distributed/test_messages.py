from __future__ import annotations

import queue
import threading

import pytest

from pipelines.errors import DatasetError
from training.distributed.messages import EventQueue, Position, PositionReached, WarningRaised, WorkerFailed, decoded


class Broken:
    """The queue of a driver that is gone."""

    def put(self, item: bytes) -> None:
        raise ConnectionError("the actor died")


def test_events_arrive_in_the_order_in_which_they_were_sent() -> None:
    received: queue.Queue[bytes] = queue.Queue()
    events = EventQueue(received)
    sent = [PositionReached(Position(0, step)) for step in range(100)]
    for event in sent:
        events.send(event)
    events.send_and_wait(WarningRaised("the last"))
    assert [decoded(received.get_nowait()) for _ in range(101)] == [*sent, WarningRaised("the last")]


def test_an_error_keeps_its_fix_code_and_key_on_its_way_to_the_driver() -> None:
    received: queue.Queue[bytes] = queue.Queue()
    EventQueue(received).send_and_wait(WorkerFailed(DatasetError("rows: none", "build again", code="empty", key="k")))
    event = decoded(received.get_nowait())
    assert isinstance(event, WorkerFailed)
    assert isinstance(event.error, DatasetError)
    assert (event.error.problem, event.error.fix, event.error.code, event.error.key) == (
        "rows: none",
        "build again",
        "empty",
        "k",
    )


def test_a_worker_whose_driver_is_gone_is_not_disturbed_by_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.distributed.messages.SEND_TIMEOUT_S", 0.01)
    errors = list[threading.ExceptHookArgs]()
    monkeypatch.setattr(threading, "excepthook", errors.append)
    before = set(threading.enumerate())
    events = EventQueue(Broken())
    (sender,) = set(threading.enumerate()) - before
    events.send(WarningRaised("nobody reads this"))
    events.send_and_wait(WarningRaised("nor this"))
    sender.join(timeout=60)
    assert not sender.is_alive()
    assert errors == []


def test_an_event_is_bytes_to_the_process_that_holds_the_queue() -> None:
    """So that process does not import PyTorch, which takes seconds in which nothing would arrive."""
    received: queue.Queue[bytes] = queue.Queue()
    EventQueue(received).send_and_wait(WarningRaised("as bytes"))
    assert isinstance(received.get_nowait(), bytes)


def test_an_event_that_cannot_be_pickled_is_an_error_of_its_sender() -> None:
    with pytest.raises(Exception, match="pickle"):
        EventQueue(queue.Queue()).send(WarningRaised(lambda: "text"))  # type: ignore[arg-type]


def test_positions_are_ordered_by_epoch_and_then_by_step() -> None:
    assert Position(0, 99) < Position(1, 0) < Position(1, 1)
