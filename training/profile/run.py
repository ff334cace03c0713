"""Profiles training: real steps of an experiment, timed by phase on every worker. The model is discarded.

One worker on this machine runs in this process. Several workers, or those of a cluster, run on Ray Train as they do in
training. It takes 60 steps, and 10 s more with Ray.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pipelines import storage
from pipelines.dataset.location import Location
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.display import format_size
from pipelines.progress import Progress
from pipelines.ray_map.nodes import living
from pipelines.stores import worker_folder
from pipelines.stores.worker_folder import WorkerFolder
from training import networks
from training.config import ModelConfig, TrainingConfig
from training.data import strands
from training.distributed import memory_plan
from training.distributed.launching.launch import WorkerGroup, launch
from training.distributed.messages import EventQueue, WorkerEvent, WorkerFailed
from training.distributed.nodes import gpu_check
from training.distributed.nodes.placement import max_workers_per_node, place
from training.distributed.worker import explain, open_dataset
from training.engine import layout, loop
from training.engine.collective import Alone, Collective, Distributed
from training.engine.objectives.by_task import objective_of
from training.engine.precision import require_device
from training.engine.process import threads
from training.engine.process.determinism import set_deterministic, set_tf32
from training.hardware import allocator, devices
from training.memory import work
from training.memory.plan import MemoryPlan
from training.profile.phases import MEANINGS, Bottleneck, Setting, bottleneck, shares
from training.profile.profiler import Measurement, Plan, Profiler
from training.splits import open_splits, opened_splits
from training.tasks import Task

Splits = tuple[TokenDataset, TokenDataset]
MAX_OPERATORS = 10
TRACE = "trace-worker-{}.json.gz"
PHASE_HEADER = ("phase", "share", "ms a step", "what it is")
OPERATOR_HEADER = ("operator", "share of all operators", "ms a step", "calls a step")


@dataclass(frozen=True, kw_only=True)
class ProfileSpec:
    """What the driver gives each worker of a profile.

    Attributes:
        model: the architecture.
        training: the optimisation.
        dataset: directory or address of the token dataset.
        fingerprint: of that dataset; None: whichever is there.
        output: directory for the traces.
        plan: the steps to measure.
        threads: CPUs of the worker.
        allowance: bytes by which its process may grow on a CPU before it returns freed memory; 0: it retains none.
    """

    model: ModelConfig
    training: TrainingConfig
    dataset: Location
    fingerprint: str | None
    output: WorkerFolder
    plan: Plan
    threads: int
    allowance: int


@dataclass(frozen=True, kw_only=True)
class WorkerProfile(WorkerEvent):
    """What one worker reports of its steps.

    Attributes:
        rank: of the worker.
        device: `cpu` or `cuda`.
        device_name: name of the GPU, or `CPU`.
        warnings: why the worker does not share a split's rows with others, if so.
        threads: CPUs that it has.
        used_threads: of these, how many the model's operations use.
        measured: times, tokens and memory.
    """

    rank: int
    device: str
    device_name: str
    warnings: tuple[str, ...]
    threads: int
    used_threads: int
    measured: Measurement


@dataclass(frozen=True)
class Profile:
    """Where the time of training steps goes, over all workers.

    Attributes:
        device: name of the GPU, or `CPU`.
        setting: properties of the run.
        measured: by worker.
        plan: the steps.
        operations: floating-point operations of a step for each token; None where they are not counted.
        peak: operations a second at the peak of the GPUs of all workers by their maker's figures; None if not known.
    """

    device: str
    setting: Setting
    measured: Sequence[Measurement]
    plan: Plan
    operations: float | None = None
    peak: float | None = None

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of a step by phase, mean over steps and workers."""
        steps = sum(worker.steps for worker in self.measured)
        phases = self.measured[0].seconds
        return {name: sum(worker.seconds[name] for worker in self.measured) / steps for name in phases}

    @property
    def step_seconds(self) -> float:
        """Seconds of a step."""
        return sum(self.seconds.values())

    @property
    def bottleneck(self) -> Bottleneck:
        """What slows training down most."""
        return bottleneck(shares(self.seconds), self.setting)

    @property
    def tokens_per_second(self) -> float:
        """Tokens without padding, over all workers."""
        return self.measured[0].tokens / self.measured[0].steps / self.step_seconds

    @property
    def peak_share(self) -> float | None:
        """The share of the GPUs' peak that training reaches, padding not counted; None where it is not known."""
        if self.operations is None or self.peak is None:
            return None
        return self.operations * self.tokens_per_second / self.peak

    def to_json(self) -> dict[str, Any]:
        """Everything that the screen shows, without nesting."""
        first = self.measured[0]
        return {
            "device": self.device,
            **asdict(self.setting),
            "steps": first.steps,
            "milliseconds_per_step": 1e3 * self.step_seconds,
            "tokens_per_second": self.tokens_per_second,
            "operations_per_token": self.operations,
            "peak_share": self.peak_share,
            "shares": shares(self.seconds),
            "milliseconds": {name: 1e3 * value for name, value in self.seconds.items()},
            "reduce_share_by_worker": [shares(worker.seconds)["reduce"] for worker in self.measured],
            "bottleneck": self.bottleneck.name,
            "advice": self.bottleneck.advice,
            "operators": [asdict(operator) for operator in first.operators[:MAX_OPERATORS]],
            "peak_memory_bytes": max(worker.memory for worker in self.measured),
            "recording_slowdown": first.slowdown,
            "traces": [worker.trace for worker in self.measured],
        }

    def phase_rows(self) -> list[tuple[str, str, str, str]]:
        """A row for each phase, as `PHASE_HEADER`."""
        seconds = self.seconds
        return [
            (name, f"{share:.1%}", f"{1e3 * seconds[name]:.2f}", MEANINGS[name])
            for name, share in shares(seconds).items()
        ]

    def operator_rows(self) -> list[tuple[str, str, str, str]]:
        """A row for each of the longest operators of the first worker, as `OPERATOR_HEADER`."""
        return [
            (operator.name, f"{operator.share:.1%}", f"{1e3 * operator.seconds:.2f}", f"{operator.calls:,.0f}")
            for operator in self.measured[0].operators[:MAX_OPERATORS]
        ]

    def sentences(self) -> list[str]:
        """Speed, memory, the bottleneck, and how the figures were measured, in sentences."""
        first, plan = self.measured[0], self.plan
        lines = [
            f"{self.tokens_per_second:,.0f} tokens/s on {self.setting.workers} × {self.device}: "
            f"{1e3 * self.step_seconds:.1f} ms and {first.tokens / first.steps:,.0f} tokens a step, "
            f"{self.setting.padding:.1%} padding, memory "
            f"{format_size(max(worker.memory for worker in self.measured))} at most"
        ]
        if self.setting.workers > 1:
            waits = [shares(worker.seconds)["reduce"] for worker in self.measured]
            lines.append(f"reduce is {min(waits):.0%} on the slowest worker, {max(waits):.0%} on the quickest")
        if self.setting.busy is not None:
            lines.append(f"the GPU computes in {self.setting.busy:.0%} of a step")
        if self.peak_share is not None and self.peak is not None:
            lines.append(
                f"it reaches {self.peak_share:.2%} of the {self.peak / 1e12:,.0f} TFLOP/s that its maker names: where "
                "that is little, raise training.global_batch_size (raygene memory says how far)"
            )
        return [
            *lines,
            f"bottleneck: {self.bottleneck}",
            f"phases: {first.steps} steps after the first {plan.settle}, PyTorch's profiler off; operators and trace: "
            f"{plan.active} later steps, which it made {max(0.0, first.slowdown):.0%} slower",
        ]


def profile(
    model: ModelConfig,
    training: TrainingConfig,
    dataset: Location,
    output: Path,
    plan: Plan,
    progress: Progress,
    connect: Callable[[], AbstractContextManager[None]] | None,
    cpus: int,
) -> Profile:
    """Train for a few steps and measure where their time goes.

    Args:
        model: the architecture.
        training: the optimisation.
        dataset: directory or address of a token dataset, readable by every worker.
        output: directory for the traces, one per worker.
        plan: the steps.
        progress: shows the stages.
        connect: opens Ray; None: one worker in this process.
        cpus: number of CPUs that this process may use, without Ray.

    Raises:
        DatasetError: no finished dataset, or a split without both classes.
        ResourceError: the cluster or machine lacks the requested resources, or another process writes to `output`.
        TrainingError: the loss is no longer a number, or a worker died.
    """
    splits = open_splits(dataset)
    task = Task.of_dataset(splits[0].manifest["config"])
    model = task.model(model)
    networks.check(task, model)
    training = task.training(training)
    if not task.is_structure:
        strands.require_symmetric(model, training, splits[0])
    storage.make_directory(output)
    spec = ProfileSpec(
        model=model,
        training=training,
        dataset=dataset,
        fingerprint=splits[0].manifest["fingerprint"],
        output=worker_folder.of(output),
        plan=plan,
        threads=cpus,
        allowance=0,
    )
    with storage.only_writer(output):
        _clear(output)
        if connect is None:
            workers = [_run_in_this_process(spec, splits, progress)]
        else:
            with connect():
                workers = _run_on_ray(spec, splits, progress)
    workers.sort(key=lambda worker: worker.rank)
    profiled = assemble(workers, training, plan, has_windows=task.is_structure)
    peak = work.peak_of(profiled.device, training.precision, training.tf32)
    operations = work.operations_per_token(model, training, round(float(splits[0].lengths.mean())), task.name)
    return replace(profiled, operations=operations, peak=peak and peak * len(workers))


def _clear(output: Path) -> None:
    """Remove the traces of an earlier profile, and what Ray left behind of one that was killed."""
    for leftover in output.glob(".ray-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for trace in output.glob(TRACE.format("*")):
        trace.unlink(missing_ok=True)


def _with_memory_plan(spec: ProfileSpec, memory: MemoryPlan) -> ProfileSpec:
    """The specification with the batches that training would use."""
    training = spec.training.model_copy(update={"token_budget": memory.token_budget})
    return replace(spec, training=training, allowance=memory.allowance)


def _run_in_this_process(spec: ProfileSpec, splits: Splits, progress: Progress) -> WorkerProfile:
    training = spec.training
    set_deterministic(training.deterministic)
    set_tf32(training.tf32)
    device = torch.device(devices.require(training.device))
    if device.type == "cuda":
        allocator.let_segments_grow()
    require_device(training.precision, use_gpu=device.type == "cuda")
    memory = memory_plan.plan_process(spec.model, training, splits, "cuda" if device.type == "cuda" else "cpu")
    with progress.stage(f"profiling {spec.plan.steps} steps"):
        try:
            return profile_worker(_with_memory_plan(spec, memory), device, Alone())
        except torch.OutOfMemoryError as error:
            raise explain(error) or error from error


def _run_on_ray(spec: ProfileSpec, splits: Splits, progress: Progress) -> list[WorkerProfile]:

    training = spec.training
    gpu_check.require(training.device)
    nodes = living()
    placement = place(nodes, training.workers, training.device)
    require_device(training.precision, use_gpu=placement.use_gpu)
    per_node = max_workers_per_node(nodes, placement, training.workers)
    memory = memory_plan.plan_run(spec.model, training, splits, placement, per_node, None, progress.warn)
    output = worker_folder.of(spec.output.path)
    spec = replace(_with_memory_plan(spec, memory), threads=placement.cpus, output=output)
    profiles: list[WorkerProfile] = []

    def collect(event: WorkerEvent) -> None:
        if isinstance(event, WorkerProfile):
            profiles.append(event)

    kind = "GPU" if placement.use_gpu else "CPU"
    with progress.stage(f"profiling on {training.workers} {kind} worker{'s' if training.workers > 1 else ''}"):
        group = WorkerGroup(training.workers, training.workers, placement, max_failures=0)
        launch(run_worker, spec, group, output.path, collect, prepare=open_dataset)
    for warning in sorted({warning for profile in profiles for warning in profile.warnings}):
        progress.warn(warning)
    return profiles


def run_worker(spec: ProfileSpec, events: EventQueue) -> None:
    """Profile one worker; the function that Ray Train starts on each.

    Args:
        spec: what to train and to measure.
        events: to the driver.
    """
    import ray
    from ray.train import get_context

    try:
        set_deterministic(spec.training.deterministic)
        set_tf32(spec.training.tf32)
        device = devices.of_worker(spec.training.device, ray.get_gpu_ids())
        collective: Collective = Distributed() if get_context().get_world_size() > 1 else Alone()
        events.send_and_wait(profile_worker(spec, device, collective))
    except Exception as error:
        if permanent_error := explain(error):
            events.send_and_wait(WorkerFailed(permanent_error))
        raise


def profile_worker(spec: ProfileSpec, device: torch.device, collective: Collective) -> WorkerProfile:
    """Train on one worker under a profiler.

    Args:
        spec: what to train and to measure.
        device: where to compute.
        collective: the workers.
    """
    training = spec.training
    torch.set_num_threads(spec.threads)
    train, validation = opened_splits(spec.dataset, spec.fingerprint)
    task = Task.of_dataset(train.manifest["config"])
    network = networks.fresh(task, spec.model, train.tokenizer, training.seed).to(device)
    objective = objective_of(training, train)
    layout.set_layout(network, training, train, objective, collective)
    with threads.limited_for(network):
        used_threads = torch.get_num_threads()
    # The profiler ends the loop; there only have to be enough epochs for its steps.
    epochs = spec.plan.steps // -(-len(train) // training.global_batch_size) + 2
    config = training.model_copy(update={"epochs": epochs, "patience": 0})
    trace = TRACE.format(collective.rank)
    with spec.output.opened() as folder:
        profiler = Profiler(spec.plan, device, folder.path / trace)
        try:
            state = loop.start(network, config, device)
            loop.fit(
                state,
                train,
                validation,
                config,
                collective,
                device,
                profiler,
                objective=objective,
                retain_memory=spec.allowance > 0,
                allowance=spec.allowance,
            )
        finally:
            profiler.close()
    return WorkerProfile(
        rank=collective.rank,
        device=device.type,
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        warnings=tuple(split.note for split in (train, validation) if split.note),
        threads=spec.threads,
        used_threads=used_threads,
        measured=replace(profiler.measured(), trace=str(spec.output.path / trace)),
    )


def assemble(
    workers: Sequence[WorkerProfile], training: TrainingConfig, plan: Plan, *, has_windows: bool = False
) -> Profile:
    """The profile of a run from those of its workers, in the order of their ranks."""
    measured, worker = [profile.measured for profile in workers], workers[0]
    first = worker.measured
    step_seconds = sum(first.seconds.values()) / first.steps
    queued = [
        measurement.queued / sum(measurement.seconds.values())
        for measurement in measured
        if measurement.queued is not None
    ]
    setting = Setting(
        device=worker.device,
        workers=len(workers),
        threads=worker.threads,
        used=worker.used_threads,
        precision=training.precision,
        padding=1 - first.tokens / first.padded,
        busy=None if first.busy is None else min(1.0, first.busy / step_seconds),
        queued=sum(queued) / len(queued) if queued else None,
        has_windows=has_windows,
    )
    return Profile(worker.device_name, setting, measured, plan)
