"""TensorBoard's event files: one directory per run, in which repeated steps are shown once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines import storage

_GROUPS = {
    "loss": "train",
    "gradient_norm": "train",
    "learning_rate": "train",
    "tokens_per_second": "speed",
    "padding_share": "speed",
    "wait_share": "speed",
    "peak_memory_bytes": "memory",
}


class Board:
    """Writes event files; every method raises StorageError if the directory cannot be written.

    Args:
        directory: of the run's event files.
        steps: optimizer steps of an epoch, because the axis counts steps over all epochs.
    """

    def __init__(self, directory: Path, steps: int) -> None:
        self._directory, self._steps = directory, steps
        self._writer: Any = None

    def begin(self, epoch: int, step: int) -> None:
        """Start after a step; what was written about later ones is hidden.

        Args:
            epoch: epochs finished.
            step: steps finished of the next epoch.
        """
        from torch.utils.tensorboard import SummaryWriter

        self.close()
        with self._writing():
            purge_step = epoch * self._steps + step + 1
            self._writer = SummaryWriter(str(self._directory), purge_step=purge_step)  # type: ignore[no-untyped-call]

    def step(self, line: dict[str, Any]) -> None:
        """Add a line of the step log."""
        global_step = (line["epoch"] - 1) * self._steps + line["step"]
        with self._writing():
            for name, group in _GROUPS.items():
                if line[name] is not None:
                    self._writer.add_scalar(f"{group}/{name}", line[name], global_step)

    def epoch(self, record: dict[str, Any]) -> None:
        """Add the validation figures of an epoch."""
        with self._writing():
            for name, value in record.items():
                if name.startswith("validation_"):
                    self._writer.add_scalar(name.replace("_", "/", 1), value, record["epoch"] * self._steps)
            self._writer.flush()

    def close(self) -> None:
        """Write out what is buffered."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with self._writing():
                writer.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise storage.write_error(self._directory, error) from error
