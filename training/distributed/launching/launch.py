"""Starts a function on the workers of Ray Train, receives their events, and passes an interrupt on to them.

It takes about 10 s until the function runs. When a worker dies, Ray starts all of them again; the workers themselves
know what to resume from, and Ray keeps no state beyond the call.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pipelines.errors import RaygeneError, TrainingError, one_line
from pipelines.ray_map.nodes import ClusterTooSmallError
from pipelines.stores import worker_folder
from training.distributed import stop_signal
from training.distributed.launching import interruptible
from training.distributed.launching.interruptible import Interrupt
from training.distributed.launching.received import OnEvent, Received
from training.distributed.launching.trainer import trainer_class
from training.distributed.messages import EventQueue
from training.distributed.nodes.placement import Placement, shortage

# One thing is rightly slow while others wait: a write to slow storage.
COLLECTIVE_TIMEOUT_S = 900
# Ray looks so often whether its workers have ended; its default of 2 s would lengthen every short run.
POLL_S = 0.25
# The queue is on this machine, and answers at once: if it does not for so long, Ray is gone.
ANSWER_S = 30.0
FAILED = "failed"
"""File in Ray's folder of a run: a worker has met an error that would come again."""
# Waiting threads do not spin, and all threads share a heap: what a worker's training thread frees is used again. oneDNN
# keeps the kernels of its last 1,024 shapes by default: of batches of random lengths that is 0.6 MB a step, and they
# cut what is freed into pieces. 128 are those of a few steps.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "MALLOC_ARENA_MAX": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128"}

Spec = TypeVar("Spec")


@dataclass(frozen=True)
class WorkerGroup:
    """The workers of a launch.

    Attributes:
        workers: processes to start.
        min_workers: how many are enough to continue when a node is lost.
        placement: what each of them gets.
        max_failures: how many times dead workers are started again.
    """

    workers: int
    min_workers: int
    placement: Placement
    max_failures: int


def launch(
    function: Callable[[Spec, EventQueue], None],
    spec: Spec,
    group: WorkerGroup,
    scratch: Path,
    on_event: OnEvent,
    request_stop: Interrupt | None = None,
    prepare: Callable[[Spec], None] | None = None,
) -> None:
    """Run a function on every worker until it returns on all of them.

    Args:
        function: called on each worker with `spec` and the worker's end of the event queue.
        spec: a frozen dataclass that can be pickled.
        group: the workers.
        scratch: a directory that every node sees or is served; Ray's own files are in it while the function runs.
        on_event: called with every event in order, but for `WorkerFailed`, on a thread of its own. An exception that it
            raises is raised when the workers have returned.
        request_stop: called at the first interrupt (SIGINT, SIGTERM), after which workers that have sent an event
            have `interruptible.GRACE_S` to send `TrainingEnded` and return; None: an interrupt ends them at once.
        prepare: called with `spec` on every worker, each time that they are started, before they form a group: what
            takes long there ends no collective. It does not raise.

    Raises:
        RaygeneError: the error of a worker's `WorkerFailed`.
        TrainingError: workers died more often than `group.max_failures`.
        ClusterTooSmallError: the nodes that the cluster has left cannot hold the workers.
        KeyboardInterrupt: there was an interrupt; if `request_stop` was called, after the workers have returned.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", str(POLL_S))
    # The queue is on this machine, so that no event is lost together with a worker's node.
    local_node = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": local_node})
    name = f".ray-{uuid.uuid4().hex[:12]}"
    run_folder = scratch / name
    settings: dict[str, Any] = {
        "name": name,
        "storage_path": str(scratch),
        "failure_config": FailureConfig(max_failures=group.max_failures),
        "worker_runtime_env": {"env_vars": ENVIRONMENT},
    }
    is_elastic = group.min_workers < group.workers
    num_workers: Any = (group.min_workers, group.workers) if is_elastic else group.workers
    trainer = trainer_class()(
        _run_unless_failed,
        train_loop_config={"function": function, "spec": spec, "queue": queue, "folder": worker_folder.of(run_folder)},
        torch_config=_torch_config(prepare, spec),
        scaling_config=ScalingConfig(
            num_workers=num_workers,
            use_gpu=group.placement.use_gpu,
            resources_per_worker=group.placement.resources,
        ),
        run_config=RunConfig(**settings),
    )
    left = shortage(group.placement, group.min_workers)

    def mark_as_failed() -> None:
        with suppress(OSError):
            run_folder.mkdir(parents=True, exist_ok=True)
            (run_folder / FAILED).touch()

    received = Received(on_event, mark_as_failed)
    failure: BaseException | None = None
    try:
        with _receiving(queue, received.handle):
            failure = interruptible.run(trainer.fit, request_stop, received.grace, left.require)
    except (KeyboardInterrupt, ClusterTooSmallError) as error:
        failure = error
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)
        # Its process would stay as long as anything refers to it, an error's traceback for instance. Ray may be gone.
        with suppress(Exception):
            queue.shutdown(force=True)
    # Only now are all events handled.
    received.raise_first(failure)
    if isinstance(failure, Exception) and not isinstance(failure, RaygeneError):
        raise error_of_ray(failure) from failure
    if failure is not None:
        raise failure


def _run_unless_failed(config: dict[str, Any]) -> None:
    """What runs on a worker: the function, but not once more after an error that would come again."""
    if not config["folder"].exists(FAILED):
        config["function"](config["spec"], EventQueue(config["queue"]))


def error_of_ray(failure: Exception, what: str = "training") -> TrainingError:
    """The one-line error for a failure of Ray that no worker has explained.

    It quotes the last line of Ray's message, which has the cause.
    """
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    return stopped(one_line(lines[-1], 200) if lines else type(failure).__name__, what)


def stopped(reason: str, what: str = "training", where: str = "with --verbose to see why") -> TrainingError:
    """The one-line error for work that stopped for a reason that may not come again.

    Args:
        reason: of the last failure.
        what: stopped.
        where: more is to be seen.
    """
    return TrainingError(f"{what} stopped ({reason})", f"run the same command to resume, {where}")


def _torch_config(prepare: Callable[[Any], None] | None, spec: Any) -> Any:
    """Ray's configuration of torch.distributed, after which SIGTERM is a stop signal in every worker.

    Args:
        prepare: called on every worker before, with `spec`; a function with a name, which Ray shows.
        spec: what to run.
    """
    from ray.train.torch import TorchConfig

    ray_backend: Any = TorchConfig().backend_cls

    class BackendWithStopSignal(ray_backend):  # type: ignore[misc]
        def on_start(self, worker_group: Any, backend_config: Any) -> None:
            if prepare is not None:
                worker_group.execute(prepare, spec)
            super().on_start(worker_group, backend_config)

        def on_training_start(self, worker_group: Any, backend_config: Any) -> None:
            super().on_training_start(worker_group, backend_config)
            worker_group.execute(stop_signal.install_handler)

    class Config(TorchConfig):  # type: ignore[misc]
        @property
        def backend_cls(self) -> Any:
            return BackendWithStopSignal

    return Config(timeout_s=COLLECTIVE_TIMEOUT_S)


@contextmanager
def _receiving(queue: Any, handle: Callable[[bytes], None]) -> Iterator[None]:
    """Handle events on a thread while the block lasts, and those in the queue at its end, however long they take."""
    from ray.util.queue import Empty

    block_ended = threading.Event()
    asked_at: float | None = None

    def answer(method: Callable[..., Any], **arguments: Any) -> Any:
        nonlocal asked_at
        asked_at = time.monotonic()
        try:
            return method(**arguments)
        finally:
            asked_at = None

    def has_answered() -> bool:
        since = asked_at
        return since is None or time.monotonic() - since < ANSWER_S

    def messages() -> Iterator[bytes]:
        # An error other than `Empty`: the queue's actor is gone, and Ray with it.
        with suppress(Exception):
            while not block_ended.is_set():
                with suppress(Empty):
                    yield answer(queue.get, block=True, timeout=0.5)
            # No more than these: after an interrupt there may be workers that go on to send.
            for _ in range(answer(queue.qsize)):
                yield answer(queue.get)

    def receive() -> None:
        for message in messages():
            handle(message)

    receiver = threading.Thread(target=receive, daemon=True)
    receiver.start()
    try:
        yield
    finally:
        block_ended.set()
        while receiver.is_alive() and has_answered():
            receiver.join(timeout=0.1)
