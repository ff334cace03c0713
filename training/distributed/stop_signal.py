"""How a worker learns that it is to save and stop: from the driver by a file, from its machine by SIGTERM.

A signal only reaches the main thread of a process, and Ray trains on another one. So `install_handler` has to be called
in the main thread first.
"""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

from pipelines import storage

# On a network file system a look at the file costs milliseconds, and the loop would take one in every step.
CHECK_INTERVAL_S = 0.2
STOP = "stop"
"""Name of the file."""
_terminated = threading.Event()


def install_handler() -> None:
    """Take SIGTERM as a stop signal from now on. Has to be called in the main thread of a worker process."""
    _terminated.clear()
    signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(signum: int, frame: Any) -> None:
    _terminated.set()


def is_terminated() -> bool:
    """Whether this process was sent SIGTERM since `install_handler`."""
    return _terminated.is_set()


class StopFile:
    """A file next to the checkpoints whose presence asks every worker to stop.

    Args:
        directory: of the checkpoints, which driver and workers share.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / STOP
        self._checked_at, self._exists = 0.0, False

    def request(self) -> None:
        """Ask all workers to save and stop.

        Raises:
            StorageError: the file cannot be written.
        """
        storage.make_directory(self.path.parent)
        try:
            self.path.touch()
        except OSError as error:
            raise storage.write_error(self.path, error) from error

    def clear(self) -> None:
        """Withdraw an earlier request."""
        self.path.unlink(missing_ok=True)

    def is_requested(self) -> bool:
        """Whether a stop is requested; looks at the file a few times a second at most."""
        now = time.monotonic()
        if now - self._checked_at >= CHECK_INTERVAL_S:
            self._checked_at, self._exists = now, self.path.exists()
        return self._exists
