from __future__ import annotations

import pickle
from dataclasses import dataclass

import pytest

from pipelines.errors import DatasetError
from training.distributed.launching import interruptible
from training.distributed.launching.received import RETURN_S, Received
from training.distributed.messages import Position, TrainingBegan, TrainingEnded, WorkerEvent, WorkerFailed


@dataclass(frozen=True)
class Counted(WorkerEvent):
    number: int


def received_by(*events: WorkerEvent | bytes) -> tuple[Received, list[WorkerEvent], list[None]]:
    """What has handled some messages, with the events that it passed on and its calls of `on_failure`."""
    passed, failures = list[WorkerEvent](), list[None]()
    received = Received(passed.append, lambda: failures.append(None))
    for event in events:
        received.handle(event if isinstance(event, bytes) else pickle.dumps(event))
    return received, passed, failures


def test_events_are_passed_on_and_errors_of_workers_are_kept() -> None:
    error = DatasetError("rows: none", "build again")
    received, passed, failures = received_by(Counted(1), WorkerFailed(error), Counted(2))
    assert passed == [Counted(1), Counted(2)]
    assert len(failures) == 1
    with pytest.raises(DatasetError, match="rows: none"):
        received.raise_first(None)


def test_a_message_that_cannot_be_read_is_a_failure() -> None:
    received, passed, failures = received_by(b"no pickle")
    assert (passed, len(failures)) == ([], 1)
    assert "an event of a worker cannot be read" in str(received.errors[0])


def test_an_error_of_the_callback_is_kept_and_later_events_still_arrive() -> None:
    seen: list[WorkerEvent] = []

    def refuse(event: WorkerEvent) -> None:
        seen.append(event)
        raise ValueError(str(event))

    received = Received(refuse)
    for number in (1, 2):
        received.handle(pickle.dumps(Counted(number)))
    assert seen == [Counted(1), Counted(2)]
    with pytest.raises(ValueError, match="number=1"):
        received.raise_first(None)


def test_nothing_is_raised_where_nothing_failed() -> None:
    received_by(Counted(1))[0].raise_first(KeyboardInterrupt())


def test_only_a_worker_that_may_have_something_to_save_gets_time_after_an_interrupt() -> None:
    assert received_by()[0].grace() == 0
    began, ended = TrainingBegan(Position(0, 0), (), 1), TrainingEnded(Position(1, 0))
    assert received_by(began)[0].grace() == interruptible.GRACE_S
    assert received_by(began, ended)[0].grace() == RETURN_S
    assert received_by(began, ended, began)[0].grace() == interruptible.GRACE_S
