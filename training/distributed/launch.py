"""Starts a function on the workers of Ray Train, hears what they tell, and passes an interrupt on to them.

Reaching the function takes about 10 s. Ray starts the workers again when one dies; what they resume from is their own
affair, and Ray keeps no state beyond the call.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import RaygeneError, TrainingError
from training.distributed import interruptible
from training.distributed.interruptible import Interrupt
from training.distributed.messages import WorkerEvent
from training.distributed.placement import Placement

# Rightly slow are the first decoding of a split on a node and a write to slow storage.
COLLECTIVE_TIMEOUT_S = 900
POLL_S = 0.25
RETURN_S = 5.0
# Waiting threads do not spin, and all threads share a heap: what a worker's training thread frees is used again.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True)
class Group:
    """The workers of a launch.

    Attributes:
        workers: processes wanted.
        least: with how many it goes on when a node is lost.
        share: what each gets.
        failures: how many times dead workers are started again.
    """

    workers: int
    least: int
    share: Placement
    failures: int


def launch(
    function: Callable[[dict[str, Any]], None],
    given: dict[str, Any],
    group: Group,
    scratch: Path,
    hear: Callable[[WorkerEvent], None],
    ask_to_stop: Interrupt | None = None,
) -> None:
    """Run a function on every worker until it returns on all of them.

    Args:
        function: called on each worker with `given` and, under `news`, the driver's end of a `EventQueue`.
        given: plain values.
        group: the workers.
        scratch: a folder that every node writes; Ray's own files appear in it while it runs.
        hear: called, on a thread of its own, with everything the workers tell, in order.
        ask_to_stop: called at the first interrupt (SIGINT, SIGTERM), after which the workers have `background.GRACE_S` to tell
            `ended` and return; None: an interrupt ends them at once.

    Raises:
        RaygeneError: as told by a worker under `error`.
        TrainingError: workers died more often than `group.failures`.
        KeyboardInterrupt: it was interrupted; if `ask_to_stop` was called, after the workers have returned.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", str(POLL_S))
    # On this machine: what workers tell is not to be lost with a node of theirs.
    home = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    news = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": home})
    name = f".ray-{uuid.uuid4().hex[:12]}"
    fatal = scratch / name / "fatal"
    settings: dict[str, Any] = {
        "name": name,
        "storage_path": str(scratch),
        "failure_config": FailureConfig(max_failures=group.failures),
        "worker_runtime_env": {"env_vars": ENVIRONMENT},
    }
    number: Any = group.workers if group.least == group.workers else (group.least, group.workers)
    trainer = TorchTrainer(
        _unless_fatal,
        train_loop_config={"function": function, "fatal": str(fatal), "given": given | {"news": news}},
        torch_config=_torch_config(),
        scaling_config=ScalingConfig(
            num_workers=number,
            use_gpu=group.share.use_gpu,
            resources_per_worker=group.share.resources,
        ),
        run_config=RunConfig(**settings),
    )
    errors: list[RaygeneError] = []
    ended = threading.Event()

    def heard(message: WorkerEvent) -> None:
        if "began" in message:
            ended.clear()
        hear(message)
        if "ended" in message:
            ended.set()

    failure: BaseException | None = None
    try:
        with _listening(news, heard, errors, fatal):
            # Once the workers have ended, little more is waited for: what interrupted this process may have ended Ray too.
            failure = interruptible.do(
                trainer.fit, ask_to_stop, lambda: RETURN_S if ended.is_set() else interruptible.GRACE_S
            )
    except KeyboardInterrupt as interrupt:
        failure = interrupt
    finally:
        shutil.rmtree(scratch / name, ignore_errors=True)
    # Only now has the listener heard all: a worker's own error says more than Ray's, and may come after it.
    if errors:
        raise errors[0] from failure
    if isinstance(failure, Exception):
        raise stopped(failure) from failure
    if failure is not None:
        raise failure


def _unless_fatal(config: dict[str, Any]) -> None:
    """What runs on a worker: the function, but not once more after an error that would come again."""
    if not Path(config["fatal"]).exists():
        config["function"](config["given"])


def stopped(failure: Exception, what: str = "training") -> TrainingError:
    """One line for a failure of Ray that no worker has explained: the last of its message, where the cause stands."""
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    reason = lines[-1][:200] if lines else type(failure).__name__
    return TrainingError(f"{what} stopped ({reason})", "run the same command to go on, with --verbose to see why")


def _torch_config() -> Any:
    """Ray's set-up of torch.distributed, after which SIGTERM is a notice in every worker."""
    from ray.train.torch import TorchConfig

    from training.distributed import stop_signal

    backend: Any = TorchConfig().backend_cls

    class Listening(backend):  # type: ignore[misc]
        def on_training_start(self, worker_group: Any, backend_config: Any) -> None:
            super().on_training_start(worker_group, backend_config)
            worker_group.execute(stop_signal.listen)

    class Config(TorchConfig):  # type: ignore[misc]
        @property
        def backend_cls(self) -> Any:
            return Listening

    return Config(timeout_s=COLLECTIVE_TIMEOUT_S)


@contextmanager
def _listening(
    news: Any, hear: Callable[[WorkerEvent], None], errors: list[RaygeneError], fatal: Path
) -> Iterator[None]:
    """Pass on what workers tell while the block lasts, and all that is left at its end."""
    from ray.util.queue import Empty

    done = threading.Event()

    def listen() -> None:
        while True:
            try:
                message = news.get(block=True, timeout=0.5)
            except Empty:
                if done.is_set():
                    return
                continue
            except Exception:
                return
            if "error" in message:
                errors.append(message["error"])
                with suppress(OSError):
                    fatal.parent.mkdir(parents=True, exist_ok=True)
                    fatal.touch()
            else:
                try:
                    hear(message)
                except RaygeneError as error:
                    errors.append(error)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        done.set()
        listener.join(timeout=10)
