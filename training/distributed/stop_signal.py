"""How a worker learns that it is to save and stop: from the driver by a file, from its machine by SIGTERM.

A signal only reaches the main thread of a process, and Ray trains on another: `listen` is to be called there first.
"""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

from pipelines import storage

LOOK_EVERY_S = 0.2
_terminated = threading.Event()


def listen() -> None:
    """From now on SIGTERM is a notice. To be called in the main thread of a worker process."""
    _terminated.clear()
    signal.signal(signal.SIGTERM, _take)


def _take(signum: int, frame: Any) -> None:
    _terminated.set()


def terminated() -> bool:
    """Whether this process was sent SIGTERM since `listen`."""
    return _terminated.is_set()


class StopFile:
    """A file beside the checkpoints whose presence asks every worker to stop.

    Args:
        directory: of the checkpoints, which driver and workers share.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "stop"
        self._looked, self._there = 0.0, False

    def ask(self) -> None:
        """Ask all workers to save and stop.

        Raises:
            ResourceError: the place cannot be written.
        """
        storage.make_directory(self.path.parent)
        try:
            self.path.touch()
        except OSError as error:
            raise storage.write_error(self.path, error) from error

    def clear(self) -> None:
        """Withdraw what was asked before."""
        self.path.unlink(missing_ok=True)

    def there(self) -> bool:
        """Whether it was asked, as of the last look; looks a few times a second."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked, self._there = now, self.path.exists()
        return self._there
