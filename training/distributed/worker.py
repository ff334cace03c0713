"""One worker of a Ray Train run: opens the dataset, resumes if there is a checkpoint, and runs the training loop."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import torch

from pipelines.dataset.location import Location
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import RaygeneError, ResourceError, TrainingError
from pipelines.ray_map import nodes
from pipelines.stores.worker_folder import OpenFolder
from training.bundle import start
from training.distributed.messages import (
    EventQueue,
    Position,
    TrainingBegan,
    TrainingEnded,
    WarningRaised,
    WorkerFailed,
    WorkerSpec,
    WorkerStarted,
)
from training.distributed.reporter import Reporter, StopListener
from training.distributed.resume import resume
from training.distributed.stop_signal import STOP, StopFile, is_terminated
from training.engine import layout, loop
from training.engine.checkpoints import Checkpoints
from training.engine.collective import Alone, Collective, Distributed
from training.engine.objectives.by_task import objective_of
from training.engine.process.determinism import set_deterministic, set_tf32
from training.hardware import devices
from training.memory.probe import REFUSED
from training.memory.scoring import batch_tokens
from training.observability.embeddings import EMBEDDINGS, PATTERN, Embeddings
from training.observability.runlog import BOARDS, METRICS, STEPS, RunLog
from training.observability.tensorboard import Board
from training.splits import opened_splits
from training.tasks import Task


class OpensDataset(Protocol):
    """What names a dataset: its directory or address, and its fingerprint."""

    @property
    def dataset(self) -> Location: ...

    @property
    def fingerprint(self) -> str | None: ...


class MachineLeavesError(Exception):
    """This worker's machine is about to end it: everything is saved, and Ray is to start the worker elsewhere."""


def open_dataset(spec: OpensDataset) -> None:
    """Open a worker's splits, which decodes them where its machine has not yet: before any worker waits for another.

    An error is raised by the worker itself, which meets it again and reports it.
    """
    with suppress(Exception):
        opened_splits(spec.dataset, spec.fingerprint)


def run(spec: WorkerSpec, events: EventQueue) -> None:
    """Train on one worker; the function that Ray Train starts on each.

    Args:
        spec: what to train, and with what.
        events: to the driver.
    """
    try:
        with _opened(spec) as folder:
            _train(spec, folder, events)
    except MachineLeavesError:
        raise
    except Exception as error:
        permanent_error = explain(error)
        if permanent_error is None:
            # For example a collective that another worker has left: Ray starts all of them again.
            raise
        events.send_and_wait(WorkerFailed(permanent_error))
        if not isinstance(error, TrainingError) and spec.training.workers > 1:
            # The others may be well and waiting for this one: only a failure ends them.
            raise


def explain(error: Exception) -> RaygeneError | None:
    """The error for the driver to raise, if a retry would meet the same error again; None if a retry may succeed."""
    if isinstance(error, RaygeneError):
        return error
    text = " ".join(str(error).split())[:160]
    # PyTorch has a class for a GPU without memory only. On a CPU, and for an operation without a deterministic form, it
    # raises a bare RuntimeError, of which nothing but the text can be recognised.
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in text.lower() for word in REFUSED):
        return ResourceError(
            f"no memory left for a batch ({text})",
            "set a lower training.token_budget",
            code="out_of_memory",
            key="training.token_budget",
        )
    if isinstance(error, RuntimeError) and "deterministic" in text:
        return TrainingError(
            f"training.deterministic: {text}",
            "set it to false, or choose another model or device",
            key="training.deterministic",
        )
    if isinstance(error, RuntimeError | OSError | TimeoutError):
        return None
    return TrainingError(
        f"internal error in a worker, {type(error).__name__}: {error}",
        "run again with --verbose and report the traceback",
        code="internal",
    )


@contextmanager
def _opened(spec: WorkerSpec) -> Iterator[OpenFolder]:
    """The run's directory, or this worker's copy of it; only the first worker writes."""
    if not _is_first():
        with spec.output.opened() as folder:
            yield folder
        return
    checkpoints = f"{spec.checkpoints}/epoch-*.pt"
    with spec.output.opened(
        [checkpoints, METRICS, STEPS, f"{EMBEDDINGS}/{PATTERN}"],
        last=[checkpoints],
        appended=[STEPS, f"{BOARDS}/*"],
        watched=[f"{spec.checkpoints}/{STOP}"],
    ) as folder:
        yield folder


def _train(spec: WorkerSpec, folder: OpenFolder, events: EventQueue) -> None:
    config = spec.training
    torch.set_num_threads(spec.threads)
    set_deterministic(config.deterministic)
    set_tf32(config.tf32)
    workers, gpus = _group()
    device = devices.of_worker(config.device, gpus)
    train, validation = opened_splits(spec.dataset, spec.fingerprint)
    task = Task.of_dataset(train.manifest["config"])
    model = start.network(task, spec.model, config, train.tokenizer, spec.start).to(device)
    objective = objective_of(config, train, _scoring_budget(spec, validation, device))
    collective: Collective = Distributed() if workers > 1 else Alone()
    layout.set_layout(model, config, train, objective, collective)
    state = loop.start(model, config, device)
    checkpoints = Checkpoints(folder.path / spec.checkpoints, folder.push)
    events.send(_started(collective, device))
    for warning in {note for note in (train.note, validation.note) if note}:
        events.send(WarningRaised(warning))
    resume(
        *(state, checkpoints, collective, device),
        fetch=lambda pattern: folder.pull([f"{spec.checkpoints}/{pattern}"]),
    )
    observer = StopListener()
    if collective.rank == 0:
        observer = _reporter(spec, folder.path, events, checkpoints, state, train, device)
        events.send(TrainingBegan(Position(state.epoch, state.step), tuple(state.records), collective.workers))
    try:
        finished = loop.fit(
            state,
            train,
            validation,
            config,
            collective,
            device,
            observer,
            objective=objective,
            retain_memory=spec.allowance > 0,
            allowance=spec.allowance,
        )
        if not finished and isinstance(observer, Reporter):
            observer.checkpoint(state)
    except BaseException:
        # A checkpoint that is being written is finished, and the first error is the one to raise.
        with suppress(RaygeneError):
            observer.close()
        raise
    observer.close()
    if collective.rank == 0:
        folder.push()
        events.send_and_wait(TrainingEnded(Position(state.epoch, state.step)))
    # No worker returns before everything is on disk.
    collective.sum_(torch.zeros(1, device=device))
    if not finished and is_terminated():
        raise MachineLeavesError("the machine of this worker is going away")


def _is_first() -> bool:
    """Whether this is the first worker, which writes."""
    if not nodes.is_connected():
        return True
    from ray.train import get_context

    return int(get_context().get_world_rank()) == 0


def _group() -> tuple[int, list[Any]]:
    """The number of workers, and the GPUs that Ray has given this one; without Ray it is alone, on a CPU."""
    if not nodes.is_connected():
        return 1, []
    import ray
    from ray.train import get_context

    return get_context().get_world_size(), ray.get_gpu_ids()


def _scoring_budget(spec: WorkerSpec, validation: TokenDataset, device: torch.device) -> int | None:
    """Padded tokens that validation scores at once on a GPU that holds the model; None on a CPU.

    No fewer than a step of training has, for which memory is planned.
    """
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    longest, vocabulary_size = int(validation.lengths.max()), validation.tokenizer.vocabulary_size
    planned = batch_tokens(spec.model, vocabulary_size, longest, free, spec.training.precision)
    return max(planned, spec.training.budget)


def _reporter(
    spec: WorkerSpec,
    output: Path,
    events: EventQueue,
    checkpoints: Checkpoints,
    state: loop.State,
    train: TokenDataset,
    device: torch.device,
) -> Reporter:
    config, board = spec.training, None
    if config.tensorboard:
        steps = -(-len(train) // config.global_batch_size)
        board = Board(output / BOARDS / checkpoints.directory.name, steps)
    log = RunLog(output, spec.run, board)
    log.begin(state.epoch, state.step, state.records)
    embeddings = Embeddings(output / EMBEDDINGS, spec.run, train.tokenizer)
    embeddings.keep(state.best_record, state.best)
    return Reporter(events.send, log, checkpoints, embeddings, StopFile(checkpoints.directory), config, device)


def _started(collective: Collective, device: torch.device) -> WorkerStarted:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return WorkerStarted(collective.rank, collective.workers, os.getpid(), socket.gethostname(), name)
