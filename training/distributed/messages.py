"""From a worker to its driver: messages in order, sent by a thread of their own so that computing never waits for them."""

from __future__ import annotations

import queue
import threading
from typing import Any

WorkerEvent = dict[str, Any]
PATIENCE_S = 30.0


class EventQueue:
    """One worker's end.

    Args:
        news: a `ray.util.queue.Queue` that the driver reads.
    """

    def __init__(self, news: Any) -> None:
        self._news = news
        self._waiting: queue.SimpleQueue[WorkerEvent | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._send, daemon=True, name="wire").start()

    def tell(self, message: WorkerEvent) -> None:
        """Send a message soon."""
        self._waiting.put(message)

    def tell_and_wait(self, message: WorkerEvent) -> None:
        """Send a message and wait until it and all before it have arrived: for the last words of a worker."""
        arrived = threading.Event()
        self._waiting.put(message)
        self._waiting.put(arrived)
        arrived.wait(PATIENCE_S)

    def _send(self) -> None:
        while True:
            found = self._waiting.get()
            if isinstance(found, threading.Event):
                found.set()
                continue
            try:
                self._news.put(found)
            except Exception:
                # The queue lies beside the driver: with it, this process is about to end.
                return
