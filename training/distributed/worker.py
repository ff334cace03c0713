"""One worker of a Ray Train run: opens the dataset, resumes if there is a checkpoint, and runs the loop."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import RaygeneError, ResourceError, TrainingError
from training import models
from training.config import ModelConfig, TrainingConfig
from training.distributed.messages import EventQueue
from training.distributed.reporter import Listener, Reporter
from training.distributed.resume import resume
from training.distributed.stop_signal import StopFile, terminated
from training.engine import layout, loop
from training.engine.checkpoints import Checkpoints
from training.engine.collective import Alone, Collective, Distributed
from training.engine.determinism import set_deterministic
from training.hardware import devices
from training.memory.probe import REFUSED
from training.observability.embeddings import EMBEDDINGS, Embeddings
from training.observability.runlog import BOARDS, RunLog
from training.observability.tensorboard import Board
from training.splits import open_splits


class MachineGoesError(Exception):
    """This worker's machine is about to end it: everything is kept, and Ray is to start it elsewhere."""


def run(given: dict[str, Any]) -> None:
    """The function that Ray Train starts on every worker.

    Args:
        given: model and training sections as mappings, paths of dataset, run and checkpoints, threads, and the queue for news.
    """
    wire = EventQueue(given["news"])
    try:
        _run(given, wire)
    except MachineGoesError:
        raise
    except Exception as error:
        known = explained(error)
        if known is None:
            # Such as a collective that another worker has left: Ray starts all of them again.
            raise
        wire.tell_and_wait({"error": known})
        if not isinstance(error, TrainingError) and given["training"]["workers"] > 1:
            # The others may be well and wait for this one: only a failure ends them.
            raise


def explained(error: Exception) -> RaygeneError | None:
    """What the driver is to raise for an error that would come again; None for one that may not."""
    if isinstance(error, RaygeneError):
        return error
    told = " ".join(str(error).split())[:160]
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in told.lower() for word in REFUSED):
        return ResourceError(f"no memory left for a batch ({told})", "set a lower training.token_budget")
    if isinstance(error, RuntimeError) and "deterministic" in told:
        return TrainingError(f"training.deterministic: {told}", "set it to false, or choose another model or device")
    if isinstance(error, RuntimeError | OSError | TimeoutError):
        return None
    return TrainingError(
        f"internal error in a worker, {type(error).__name__}: {error}",
        "run again with --verbose and report the traceback",
    )


def _run(given: dict[str, Any], wire: EventQueue) -> None:
    import ray
    from ray.train import get_context

    config = TrainingConfig.model_validate(given["training"])
    torch.set_num_threads(given["threads"])
    set_deterministic(config.deterministic)
    device = devices.of_worker(config.device, ray.get_gpu_ids())
    train, validation = open_splits(Path(given["dataset"]), given["fingerprint"])
    model = models.fresh(ModelConfig.model_validate(given["model"]), train.tokenizer, config.seed).to(device)
    layout.settle(model, config, train)
    state = loop.start(model, config, device)
    checkpoints = Checkpoints(Path(given["checkpoints"]))
    collective: Collective = Distributed() if get_context().get_world_size() > 1 else Alone()
    wire.tell({"worker": _described(collective, device)})
    for note in {train.note, validation.note} - {None}:
        wire.tell({"warning": note})
    resume(state, checkpoints, collective, device)
    observer = Listener()
    if not collective.rank:
        observer = _reporter(given, wire, config, checkpoints, state, train, device)
        began = {"at": (state.epoch, state.step), "record": state.records[-1:], "workers": collective.workers}
        wire.tell({"began": began})
    try:
        finished = loop.fit(
            state, train, validation, config, collective, device, observer, retain_memory=given["retain_memory"]
        )
        if not finished and isinstance(observer, Reporter):
            observer.checkpoint(state)
    except BaseException:
        # What is being written is kept, and the first error is the one to tell.
        with suppress(RaygeneError):
            observer.close()
        raise
    observer.close()
    if not collective.rank:
        wire.tell_and_wait({"ended": (state.epoch, state.step)})
    collective.sum_(torch.zeros(1, device=device))
    if not finished and terminated():
        raise MachineGoesError("the machine of this worker is going away")


def _reporter(
    given: dict[str, Any],
    wire: EventQueue,
    config: TrainingConfig,
    checkpoints: Checkpoints,
    state: loop.State,
    train: TokenDataset,
    device: torch.device,
) -> Reporter:
    output = Path(given["output"])
    board = (
        Board(output / BOARDS / checkpoints.directory.name, -(-len(train) // config.global_batch_size))
        if config.tensorboard
        else None
    )
    log = RunLog(output, given["run"], board)
    log.begin(state.epoch, state.step, state.records)
    embeddings = Embeddings(output / EMBEDDINGS, given["run"], train.tokenizer)
    embeddings.keep(state.best_record, state.best)
    return Reporter(wire.tell, log, checkpoints, embeddings, StopFile(checkpoints.directory), config, device)


def _described(collective: Collective, device: torch.device) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    place = {"host": socket.gethostname(), "pid": os.getpid(), "device": name}
    return {"rank": collective.rank, "workers": collective.workers, **place}
