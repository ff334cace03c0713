"""Profiles training: real steps of an experiment on its dataset, timed by phase on every worker, and nothing kept of the model.

One worker on this machine runs in this process; several, or those of a cluster, run on Ray Train as they do in training.
Takes 60 steps, and 10 s more with Ray.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pipelines import storage
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.progress import Progress
from training import models
from training.config import ModelConfig, TrainingConfig
from training.distributed import gpu_check, memory_plan
from training.distributed.launch import Group, launch
from training.distributed.messages import EventQueue
from training.distributed.placement import beside, nodes_of, place
from training.distributed.worker import explained
from training.engine import layout, loop, threads
from training.engine.collective import Alone, Collective, Distributed
from training.engine.determinism import set_deterministic
from training.engine.precision import require_device
from training.hardware import devices
from training.memory.plan import MemoryPlan
from training.profile.phases import SAID, Bottleneck, Setting, bottleneck, shares
from training.profile.profiler import Measured, Operator, Plan, Profiler
from training.splits import open_splits

Splits = tuple[TokenDataset, TokenDataset]
SHOWN = 10
TRACE = "trace-worker-{}.json.gz"
PHASE_HEADER = ("phase", "share", "ms a step", "what it is")
OPERATOR_HEADER = ("operator", "share of all operators", "ms a step", "calls a step")


@dataclass(frozen=True)
class Profile:
    """Where the time of training steps goes, over all workers.

    Attributes:
        device: its name.
        setting: what the run was.
        measured: by worker.
        plan: the steps.
    """

    device: str
    setting: Setting
    measured: Sequence[Measured]
    plan: Plan

    @property
    def seconds(self) -> dict[str, float]:
        """Of a step by phase, mean over steps and workers."""
        steps = sum(one.steps for one in self.measured)
        return {name: sum(one.seconds[name] for one in self.measured) / steps for name in self.measured[0].seconds}

    @property
    def step_seconds(self) -> float:
        """Of a step."""
        return sum(self.seconds.values())

    @property
    def bottleneck(self) -> Bottleneck:
        """What holds training up most."""
        return bottleneck(shares(self.seconds), self.setting)

    @property
    def tokens_per_second(self) -> float:
        """Useful tokens of all workers."""
        return self.measured[0].tokens / self.measured[0].steps / self.step_seconds

    def to_json(self) -> dict[str, Any]:
        """Everything on screen, flat."""
        first = self.measured[0]
        return {
            "device": self.device,
            **asdict(self.setting),
            "steps": first.steps,
            "milliseconds_per_step": 1e3 * self.step_seconds,
            "tokens_per_second": self.tokens_per_second,
            "shares": shares(self.seconds),
            "milliseconds": {name: 1e3 * value for name, value in self.seconds.items()},
            "reduce_share_by_worker": [shares(one.seconds)["reduce"] for one in self.measured],
            "bottleneck": self.bottleneck.name,
            "advice": self.bottleneck.advice,
            "operators": [asdict(one) for one in first.operators[:SHOWN]],
            "peak_memory_bytes": max(one.memory for one in self.measured),
            "recording_slowdown": first.slowdown,
            "traces": [one.trace for one in self.measured],
        }

    def phase_rows(self) -> list[tuple[str, str, str, str]]:
        """A row for each phase, as `PHASE_HEADER`."""
        found = shares(self.seconds)
        return [(name, f"{found[name]:.1%}", f"{1e3 * self.seconds[name]:.2f}", SAID[name]) for name in found]

    def operator_rows(self) -> list[tuple[str, str, str, str]]:
        """A row for each of the longest operators of the first worker, as `OPERATOR_HEADER`."""
        return [
            (one.name, f"{one.share:.1%}", f"{1e3 * one.seconds:.2f}", f"{one.calls:,.0f}")
            for one in self.measured[0].operators[:SHOWN]
        ]

    def sentences(self) -> list[str]:
        """Speed, memory, the bottleneck, and how the figures came about."""
        first, plan = self.measured[0], self.plan
        lines = [
            f"{self.tokens_per_second:,.0f} tokens/s on {self.setting.workers} × {self.device}: "
            f"{1e3 * self.step_seconds:.1f} ms and {first.tokens / first.steps:,.0f} tokens a step, {self.setting.padding:.1%} padding, "
            f"memory {max(one.memory for one in self.measured) / 2**30:.2f} GiB at most"
        ]
        if self.setting.workers > 1:
            waits = [shares(one.seconds)["reduce"] for one in self.measured]
            lines.append(f"reduce is {min(waits):.0%} on the slowest worker, {max(waits):.0%} on the quickest")
        if self.setting.busy is not None:
            lines.append(f"the GPU computes in {self.setting.busy:.0%} of a step")
        return [
            *lines,
            f"bottleneck: {self.bottleneck}",
            f"phases: {first.steps} steps after the first {plan.settle}, torch's profiler asleep; operators and trace: "
            f"{plan.active} later steps, which it made {max(0.0, first.slowdown):.0%} slower",
        ]


def profile(
    model: ModelConfig,
    training: TrainingConfig,
    dataset: Path,
    output: Path,
    plan: Plan,
    progress: Progress,
    connect: Callable[[], AbstractContextManager[None]] | None,
    cpus: int,
) -> Profile:
    """Train for a few steps and tell where their time goes.

    Args:
        model: the architecture.
        training: the optimisation.
        dataset: directory of a token dataset, readable by every worker.
        output: directory for the traces, one a worker.
        plan: the steps.
        progress: told of the stages.
        connect: opens Ray; None: one worker in this process.
        cpus: that this process may use, without Ray.

    Raises:
        DatasetError: no finished dataset, or a split without both classes.
        ResourceError: the cluster or machine lacks what is asked for, or another process writes to `output`.
        TrainingError: the loss is no longer a number, or a worker died.
    """
    splits = open_splits(dataset)
    storage.make_directory(output)
    given = {
        "model": model.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "dataset": str(dataset),
        "fingerprint": splits[0].manifest["fingerprint"],
        "output": str(output),
        "plan": asdict(plan),
        "threads": cpus,
    }
    with storage.only_writer(output):
        _clear(output)
        if connect is None:
            told = [_here(given, model, training, splits, plan, progress)]
        else:
            with connect():
                told = _on_ray(given, model, training, splits, output, progress)
    told.sort(key=lambda one: one["rank"])
    return assemble(told, training, plan)


def _clear(output: Path) -> None:
    """Remove the traces of an earlier profile, and what Ray left of one that was killed."""
    for leftover in output.glob(".ray-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for trace in output.glob(TRACE.format("*")):
        trace.unlink(missing_ok=True)


def _within(given: dict[str, Any], memory: MemoryPlan) -> dict[str, Any]:
    """What a worker is given, with the batches that training would take."""
    planned = given["training"] | {"token_budget": memory.token_budget}
    return given | {"training": planned, "retain_memory": memory.retain_memory}


def _here(
    given: dict[str, Any],
    model: ModelConfig,
    training: TrainingConfig,
    splits: Splits,
    plan: Plan,
    progress: Progress,
) -> dict[str, Any]:
    """What a worker in this process tells."""
    set_deterministic(training.deterministic)
    device = torch.device(devices.require(training.device))
    require_device(training.precision, use_gpu=device.type == "cuda")
    memory = memory_plan.plan_process(model, training, splits, "cuda" if device.type == "cuda" else "cpu")
    with progress.stage(f"profiling {plan.steps} steps"):
        try:
            return watch(_within(given, memory), device, Alone())
        except torch.OutOfMemoryError as error:
            raise explained(error) or error from error


def _on_ray(
    given: dict[str, Any],
    model: ModelConfig,
    training: TrainingConfig,
    splits: Splits,
    output: Path,
    progress: Progress,
) -> list[dict[str, Any]]:
    import ray

    gpu_check.require(training.device)
    nodes = nodes_of(ray.nodes())  # type: ignore[no-untyped-call]
    share = place(nodes, training.workers, training.device)
    require_device(training.precision, use_gpu=share.use_gpu)
    together = beside(nodes, share, training.workers)
    memory = memory_plan.plan_run(model, training, splits, share, together, None, progress.warn)
    told: list[dict[str, Any]] = []
    kind = "GPU" if share.use_gpu else "CPU"
    with progress.stage(f"profiling on {training.workers} {kind} worker{'s' if training.workers > 1 else ''}"):
        group = Group(training.workers, training.workers, share, 0)
        launch(work, _within(given, memory) | {"threads": share.cpus}, group, output, told.append)
    for note in sorted({note for one in told for note in one["notes"]}):
        progress.warn(note)
    return told


def work(given: dict[str, Any]) -> None:
    """The function that Ray Train starts on every worker.

    Args:
        given: model and training sections as mappings, paths, plan, threads, and the queue for news.
    """
    import ray
    from ray.train import get_context

    wire = EventQueue(given["news"])
    try:
        training = TrainingConfig.model_validate(given["training"])
        set_deterministic(training.deterministic)
        device = devices.of_worker(training.device, ray.get_gpu_ids())
        collective: Collective = Distributed() if get_context().get_world_size() > 1 else Alone()
        wire.tell_and_wait(watch(given, device, collective))
    except Exception as error:
        if known := explained(error):
            wire.tell_and_wait({"error": known})
        raise


def watch(given: dict[str, Any], device: torch.device, collective: Collective) -> dict[str, Any]:
    """Train on one worker under a profiler.

    Args:
        given: as for `work`.
        device: where to compute.
        collective: the workers.

    Returns:
        `rank`, the device's name, CPUs given and used, why it shares no rows (`notes`), and what was measured, all plain values.
    """
    plan, training = Plan(**given["plan"]), TrainingConfig.model_validate(given["training"])
    torch.set_num_threads(given["threads"])
    train, validation = open_splits(Path(given["dataset"]), given["fingerprint"])
    network = models.fresh(ModelConfig.model_validate(given["model"]), train.tokenizer, training.seed).to(device)
    layout.settle(network, training, train)
    with threads.suited(network):
        used = torch.get_num_threads()
    epochs = plan.steps // -(-len(train) // training.global_batch_size) + 2
    config = training.model_copy(update={"epochs": epochs, "patience": 0})
    profiler = Profiler(plan, device, Path(given["output"], TRACE.format(collective.rank)))
    try:
        state, retain_memory = loop.start(network, config, device), given["retain_memory"]
        loop.fit(state, train, validation, config, collective, device, profiler, retain_memory=retain_memory)
    finally:
        profiler.close()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    about = {"rank": collective.rank, "device": device.type, "name": name}
    about["notes"] = [split.note for split in (train, validation) if split.note]
    return about | {"threads": given["threads"], "used": used, "measured": asdict(profiler.measured())}


def assemble(told: Sequence[dict[str, Any]], training: TrainingConfig, plan: Plan) -> Profile:
    """The profile of a run out of what its workers told."""
    measured = [
        Measured(**{**one["measured"], "operators": [Operator(**each) for each in one["measured"]["operators"]]})
        for one in told
    ]
    first = measured[0]
    usual = sum(first.seconds.values()) / first.steps
    queued = [one.queued / sum(one.seconds.values()) for one in measured if one.queued is not None]
    setting = Setting(
        device=told[0]["device"],
        workers=len(measured),
        threads=told[0]["threads"],
        used=told[0]["used"],
        precision=training.precision,
        padding=1 - first.tokens / first.padded,
        busy=None if first.busy is None else min(1.0, first.busy / usual),
        queued=sum(queued) / len(queued) if queued else None,
    )
    return Profile(told[0]["name"], setting, measured, plan)
