"""What a driver makes of its workers' events: errors to raise, and how long an interrupt waits for a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable

from training.distributed.launching import interruptible
from training.distributed.messages import TrainingBegan, TrainingEnded, WorkerEvent, WorkerFailed, decoded_or_failed

RETURN_S = 5.0
OnEvent = Callable[[WorkerEvent], None]


class Received:
    """The events of a run, handled in the order of their arrival, on any one thread.

    Args:
        on_event: called with every event but `WorkerFailed`.
        on_failure: called when a worker has met an error that would come again.
    """

    def __init__(self, on_event: OnEvent, on_failure: Callable[[], None] = lambda: None) -> None:
        self._on_event, self._on_failure = on_event, on_failure
        self._has_worker, self._has_ended = threading.Event(), threading.Event()
        self.errors: list[Exception] = []
        """Errors of workers and of `on_event`, in order."""

    def handle(self, message: bytes) -> None:
        """Handle what an `EventQueue` has put."""
        event = decoded_or_failed(message)
        self._has_worker.set()
        match event:
            case WorkerFailed(error):
                self.errors.append(error)
                self._on_failure()
                return
            case TrainingBegan():
                self._has_ended.clear()
        try:
            self._on_event(event)
        except Exception as error:
            self.errors.append(error)
        if isinstance(event, TrainingEnded):
            self._has_ended.set()

    def grace(self) -> float:
        """Seconds that workers have to save and to return after an interrupt."""
        # A worker that is being started has nothing to save, and cannot hear of the interrupt before it runs.
        if not self._has_worker.is_set():
            return 0
        # After training has ended, hardly anything is left to wait for, and the interrupt may have ended Ray too.
        return RETURN_S if self._has_ended.is_set() else interruptible.GRACE_S

    def raise_first(self, failure: BaseException | None) -> None:
        """Raise the first error, if there is one: a worker's own says more than that of Ray, and may come after it."""
        if self.errors:
            raise self.errors[0] from failure
