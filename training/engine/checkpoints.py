"""Checkpoints of a run: written whole or not at all by a background thread, checked when read, the last two retained.

The training thread only copies what the next step would change (weights and optimizer), 0.3 s per gigabyte. The best
weights so far are shared, because nothing changes them. A file's name holds its epoch, its step and the SHA-256 of its
bytes. Reading a checkpoint executes no code.
"""

from __future__ import annotations

import os
import pickle
import re
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipelines import fingerprint, os_errors, storage
from pipelines.errors import InputError, ResourceError, StorageError, TrainingError
from training.config import TrainingConfig

# If the last one is damaged, training resumes from the one before it.
RETAINED = 2
_NAME = re.compile(r"epoch-(\d{5})-step-(\d{8})-([0-9a-f]{16})\.pt$")
_SHARED = "best"
FORMAT = 1
"""Version of what `State.document` holds. It is part of a run's key: another version begins anew."""
Document = dict[str, Any]


def stem(epoch: int, step: int) -> str:
    """How the name of a checkpoint begins: epochs finished, and steps finished of the next one."""
    return f"epoch-{epoch:05d}-step-{step:08d}"


class CheckpointPolicy:
    """Decides when a checkpoint is due within an epoch: after some steps or some seconds, whichever comes first.

    The end of an epoch is a checkpoint whatever the policy says. The seconds count from the last call of `saved`, or
    from the creation of the policy.

    Args:
        steps: due after each multiple of this many steps of an epoch; 0: never because of steps.
        seconds: due this long after the last checkpoint; 0: never because of time.
        clock: returns seconds that never go back.
    """

    def __init__(self, steps: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._steps, self._seconds, self._clock = steps, seconds, clock
        self._last_saved = clock()

    @classmethod
    def from_config(cls, config: TrainingConfig) -> CheckpointPolicy:
        """The policy that `training.checkpoint_steps` and `training.checkpoint_seconds` describe."""
        return cls(config.checkpoint_steps, config.checkpoint_seconds)

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint is due.

        Args:
            step: steps finished of the current epoch.
        """
        if self._steps and step % self._steps == 0:
            return True
        return bool(self._seconds) and self._clock() - self._last_saved >= self._seconds

    def saved(self) -> None:
        """Count the seconds from now on: a checkpoint has been saved."""
        self._last_saved = self._clock()


@dataclass(frozen=True, order=True)
class Checkpoint:
    """A checkpoint on disk.

    Attributes:
        epoch: epochs finished.
        step: steps finished of the next epoch.
        digest: the first 16 hexadecimal digits of its SHA-256.
        path: of the file.
    """

    epoch: int
    step: int
    digest: str
    path: Path

    def load(self) -> Document:
        """Read its content, to the host's memory.

        Raises:
            TrainingError: the file is not as it was written.
            ResourceError: it cannot be read.
        """
        try:
            if fingerprint.of_file(self.path)[:16] != self.digest:
                raise self._damaged("its bytes are not those that were written")
            document: Document = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, InputError) as error:
            reason = " ".join(str(error).split())[:120]
            raise ResourceError(f"{self.path}: cannot be read ({reason})", "see why, and run again") from error
        except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
            raise self._damaged(" ".join(str(error).split())[:120]) from error
        return document

    def _damaged(self, reason: str) -> TrainingError:
        return TrainingError(
            f"{self.path}: damaged checkpoint ({reason})",
            "delete this file to resume from the one before it, or from the start if there is none",
            code="damaged_checkpoint",
        )


class Checkpoints:
    """The checkpoints in a directory, which one process writes.

    Args:
        directory: created when the first checkpoint is saved.
        on_saved: called once a checkpoint is there, before the oldest one is removed.
    """

    def __init__(self, directory: Path, on_saved: Callable[[], None] = lambda: None) -> None:
        self.directory, self._on_saved = directory, on_saved
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def all(self) -> list[Checkpoint]:
        """The checkpoints on disk, oldest first."""
        checkpoints = []
        for path in self.directory.glob("epoch-*.pt"):
            if match := _NAME.match(path.name):
                epoch, step, digest = match.groups()
                checkpoints.append(Checkpoint(int(epoch), int(step), digest, path))
        return sorted(checkpoints)

    def latest(self) -> Checkpoint | None:
        """The checkpoint furthest in training, if there is one."""
        return max(self.all(), default=None)

    def save(self, document: Document) -> None:
        """Start to write a checkpoint, after waiting for the one before if that is still being written.

        Args:
            document: has `epoch` and `step`. Its tensors may change as soon as this returns, except those of `best`.

        Raises:
            StorageError: the checkpoint before could not be written.
        """
        self.wait()
        copy = {name: value if name == _SHARED else copy_to_host(value) for name, value in document.items()}
        self._writing = self._writer.submit(self._write, copy)

    def wait(self) -> None:
        """Wait until the last checkpoint is written.

        Raises:
            StorageError: it could not be written.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _write(self, document: Document) -> None:
        storage.make_directory(self.directory)
        name = stem(document["epoch"], document["step"])
        storage.remove_partial(self.directory)
        partial = self.directory / f".{name}.partial"
        try:
            with partial.open("wb") as stream:
                torch.save(document, stream)
                stream.flush()
                os.fsync(stream.fileno())
            digest = fingerprint.of_file(partial)[:16]
            partial.rename(self.directory / f"{name}-{digest}.pt")
        except (OSError, RuntimeError) as error:
            partial.unlink(missing_ok=True)
            error = _system_error(error)
            reason = os_errors.cause(error)[:120]
            raise StorageError(
                f"{self.directory}: a checkpoint cannot be written ({reason})",
                f"{os_errors.fix(error, 'free disk space')}; the last good checkpoint stays",
            ) from error
        self._on_saved()
        for old in self.all()[:-RETAINED]:
            old.path.unlink(missing_ok=True)


def _system_error(error: OSError | RuntimeError) -> OSError | RuntimeError:
    """What the operating system refused, which PyTorch replaces by an error about the position in its file."""
    current: BaseException | None = error
    while current is not None and not isinstance(current, OSError):
        current = current.__cause__ or current.__context__
    return current or error


def copy_to_host(value: Any) -> Any:
    """Copy nested mappings and lists, with every tensor copied to the host."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copy_to_host(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copy_to_host(inner) for inner in value)
    return value
