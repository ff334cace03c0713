"""Brings all workers to the same checkpoint: the first worker chooses it, and none trains until all have read it.

On a network file system another machine may see a new file some seconds late.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from pipelines.errors import RaygeneError, TrainingError
from training.engine.checkpoints import Checkpoint, Checkpoints, stem
from training.engine.collective import Collective
from training.engine.state import State

FILE_TIMEOUT_S = 60.0


def resume(
    state: State,
    checkpoints: Checkpoints,
    collective: Collective,
    device: torch.device,
    timeout_s: float = FILE_TIMEOUT_S,
    fetch: Callable[[str], None] = lambda pattern: None,
) -> None:
    """Bring a fresh state to the latest checkpoint, if there is one; every worker must call it.

    Args:
        state: of this worker; changed in place.
        checkpoints: of the run.
        collective: the workers.
        device: where the collective's tensors are.
        timeout_s: how long to wait for a file that the first worker sees.
        fetch: gets the files of a pattern into the directory of checkpoints, where that is a copy of another one.

    Raises:
        TrainingError: the checkpoint is damaged, does not fit the model, or is not seen by this or another worker.
        ResourceError: it cannot be read.
    """
    latest = checkpoints.latest() if collective.rank == 0 else None
    # Only the first worker adds anything, so the sum is a broadcast of its choice.
    choice = torch.zeros(3, dtype=torch.float64, device=device)
    if latest is not None:
        choice += torch.tensor([1, latest.epoch, latest.step], dtype=torch.float64, device=device)
    collective.sum_(choice)
    has_checkpoint, epoch, step = (int(number) for number in choice.tolist())
    if not has_checkpoint:
        return
    error: RaygeneError | None = None
    try:
        _restore(state, latest or _wait_for(checkpoints, epoch, step, timeout_s, fetch))
    except RaygeneError as own_error:
        error = own_error
    # A worker that raised at once would leave the others waiting in their first step.
    failed = torch.tensor([1.0 if error else 0.0], device=device)
    collective.sum_(failed)
    if error is not None:
        raise error
    if failed.item():
        raise TrainingError(
            f"{checkpoints.directory}: another worker cannot read the checkpoint at epoch {epoch + 1}, step {step}",
            "see that every node reads and writes the same files there",
        )


def _wait_for(
    checkpoints: Checkpoints, epoch: int, step: int, timeout_s: float, fetch: Callable[[str], None]
) -> Checkpoint:
    deadline = time.monotonic() + timeout_s
    while True:
        fetch(f"{stem(epoch, step)}-*.pt")
        for checkpoint in checkpoints.all():
            if (checkpoint.epoch, checkpoint.step) == (epoch, step):
                return checkpoint
        if time.monotonic() > deadline:
            raise TrainingError(
                f"{checkpoints.directory}: the first worker has a checkpoint at epoch {epoch + 1}, step {step}, "
                "and this worker does not see it",
                "put --output where every node reads and writes the same files",
            )
        time.sleep(min(1.0, timeout_s))


def _restore(state: State, checkpoint: Checkpoint) -> None:
    document = checkpoint.load()
    try:
        state.restore(document)
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise TrainingError(
            f"{checkpoint.path}: does not fit the model ({reason})",
            f"delete {checkpoint.path.parent} to train from the beginning",
        ) from error
