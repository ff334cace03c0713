"""From which checkpoint all workers go on: the first worker chooses, and nobody begins unless all have read it.

On a network file system another machine may see a new file some seconds late.
"""

from __future__ import annotations

import time

import torch

from pipelines.errors import RaygeneError, TrainingError
from training.engine.checkpoints import Checkpoint, Checkpoints
from training.engine.collective import Collective
from training.engine.state import State

PATIENCE_S = 60.0


def resume(
    state: State,
    checkpoints: Checkpoints,
    collective: Collective,
    device: torch.device,
    patience_s: float = PATIENCE_S,
) -> None:
    """Bring a fresh state to the latest checkpoint, if there is any; every worker must call it.

    Args:
        state: of this worker.
        checkpoints: of the run.
        collective: the workers.
        device: where the collective's tensors lie.
        patience_s: how long to wait for a file that the first worker sees.

    Raises:
        TrainingError: the checkpoint is damaged, does not fit the model, or is not seen by this or another worker.
        ResourceError: it cannot be read.
    """
    latest = checkpoints.latest() if collective.rank == 0 else None
    place = torch.zeros(3, dtype=torch.float64, device=device)
    if latest is not None:
        place += torch.tensor([1, latest.epoch, latest.step], dtype=torch.float64, device=device)
    collective.sum_(place)
    there, epoch, step = (int(number) for number in place.tolist())
    if not there:
        return
    error: RaygeneError | None = None
    try:
        _restore(state, latest or _awaited(checkpoints, epoch, step, patience_s))
    except RaygeneError as found:
        error = found
    failed = torch.tensor([1.0 if error else 0.0], device=device)
    collective.sum_(failed)
    if error is not None:
        raise error
    if failed.item():
        raise TrainingError(
            f"{checkpoints.directory}: another worker cannot read the checkpoint at epoch {epoch + 1}, step {step}",
            "see that every node reads and writes the same files there",
        )


def _awaited(checkpoints: Checkpoints, epoch: int, step: int, patience_s: float) -> Checkpoint:
    deadline = time.monotonic() + patience_s
    while True:
        for one in checkpoints.all():
            if (one.epoch, one.step) == (epoch, step):
                return one
        if time.monotonic() > deadline:
            raise TrainingError(
                f"{checkpoints.directory}: the first worker has a checkpoint at epoch {epoch + 1}, step {step}, and this has not",
                "put --output where every node reads and writes the same files",
            )
        time.sleep(min(1.0, patience_s))


def _restore(state: State, checkpoint: Checkpoint) -> None:
    document = checkpoint.load()
    try:
        state.restore(document)
    except (KeyError, ValueError, RuntimeError) as error:
        told = " ".join(str(error).split())[:120]
        raise TrainingError(
            f"{checkpoint.path}: does not fit the model ({told})", f"delete {checkpoint.path.parent} to begin anew"
        ) from error
