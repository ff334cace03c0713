"""What the driver and the workers of a run send each other: a specification to each worker, and events back.

An event is a frozen dataclass whose class says what happened; the driver tells them apart with `match`. A worker sends
its events in order from a thread of its own, so that computing never waits for the network.
"""

from __future__ import annotations

import pickle
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.dataset.location import Location
from pipelines.errors import RaygeneError, TrainingError
from pipelines.stores.worker_folder import WorkerFolder
from training.config import ModelConfig, TrainingConfig
from training.observability.runlog import StepLine

if TYPE_CHECKING:
    # It imports PyTorch, which takes seconds.
    from training.engine.state import Record

SEND_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """What the driver gives each worker of a training run.

    Attributes:
        model: the architecture.
        training: the optimisation, with the planned token budget.
        dataset: directory or address of the token dataset.
        fingerprint: of that dataset; another one there is refused.
        output: the run's directory.
        checkpoints: name of the directory in it of this run's checkpoints.
        run: the beginning of the run's key.
        threads: CPUs of the worker.
        allowance: bytes by which its process may grow on a CPU before it returns freed memory; 0: it retains none.
        start: digest of the bundle that training starts from; None: it starts from none.
    """

    model: ModelConfig
    training: TrainingConfig
    dataset: Location
    fingerprint: str
    output: WorkerFolder
    checkpoints: str
    run: str
    threads: int
    allowance: int
    start: str | None = None


@dataclass(frozen=True, order=True)
class Position:
    """How far training has come.

    Attributes:
        epoch: epochs finished.
        step: steps finished of the next epoch.
    """

    epoch: int
    step: int


class WorkerEvent:
    """Something that a worker reports to the driver."""


@dataclass(frozen=True)
class WorkerStarted(WorkerEvent):
    """A worker is ready to compute; every worker sends one.

    Attributes:
        rank: of this worker.
        workers: number of workers in its group.
        pid: of its process.
        host: its machine.
        device: name of the GPU, or `CPU`.
    """

    rank: int
    workers: int
    pid: int
    host: str
    device: str


@dataclass(frozen=True)
class WarningRaised(WorkerEvent):
    """A worker has something to warn of; several workers may send the same text."""

    text: str


@dataclass(frozen=True)
class TrainingBegan(WorkerEvent):
    """The workers start to train, from the beginning or from a checkpoint.

    Attributes:
        position: of the checkpoint they resume from; `Position(0, 0)` without one.
        records: of every epoch finished before.
        workers: number of workers.
    """

    position: Position
    records: tuple[Record, ...]
    workers: int


@dataclass(frozen=True)
class PositionReached(WorkerEvent):
    """Training has come this far; sent a few times a second."""

    position: Position


@dataclass(frozen=True)
class StepsLogged(WorkerEvent):
    """A line was added to `steps.jsonl`."""

    line: StepLine


@dataclass(frozen=True)
class EpochFinished(WorkerEvent):
    """An epoch is trained and validated; its checkpoint is being written.

    Attributes:
        record: the epoch's line of `metrics.jsonl`.
    """

    record: Record


@dataclass(frozen=True)
class TrainingEnded(WorkerEvent):
    """The workers are done or have stopped, and everything up to this position is on disk."""

    position: Position


@dataclass(frozen=True)
class WorkerFailed(WorkerEvent):
    """A worker met an error that would come again, so the run is over.

    Attributes:
        error: what the driver is to raise.
    """

    error: RaygeneError


def decoded(message: bytes) -> WorkerEvent:
    """The event that an `EventQueue` has put into the driver's queue as these bytes."""
    event: WorkerEvent = pickle.loads(message)
    return event


def decoded_or_failed(message: bytes) -> WorkerEvent:
    """The event of a message; one that cannot be read ends the run, because it may have been the one that matters."""
    try:
        return decoded(message)
    except Exception as error:
        return WorkerFailed(
            TrainingError(
                f"internal error: an event of a worker cannot be read, {type(error).__name__}: {error}",
                "see that all machines have the same version of raygene, and run again with --verbose",
            )
        )


class EventQueue:
    """The worker's end of the queue between one worker and the driver.

    Args:
        driver_queue: a `ray.util.queue.Queue`, or anything with its `put`, that the driver reads.
    """

    def __init__(self, driver_queue: Any) -> None:
        self._driver_queue = driver_queue
        self._pending: queue.SimpleQueue[bytes | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._forward, daemon=True, name="events").start()

    def send(self, event: WorkerEvent) -> None:
        """Send an event soon, without waiting."""
        # As bytes, so that the actor that holds the queue need not import PyTorch to pass an event on. Pickled here,
        # so that an event which cannot be pickled is an error of its sender, and later changes of it do not count.
        self._pending.put(pickle.dumps(event))

    def send_and_wait(self, event: WorkerEvent) -> None:
        """Send an event and wait until it and all before it have arrived: for the last one of a worker.

        Gives up after `SEND_TIMEOUT_S`.
        """
        arrived = threading.Event()
        self.send(event)
        self._pending.put(arrived)
        arrived.wait(SEND_TIMEOUT_S)

    def _forward(self) -> None:
        while True:
            item = self._pending.get()
            if isinstance(item, threading.Event):
                item.set()
                continue
            try:
                self._driver_queue.put(item)
            except Exception:
                # The queue lives on the driver's machine: without it, this process is about to end as well.
                return
