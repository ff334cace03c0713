"""The longest-sequence analysis of an experiment and a dataset: memory of a step by part, and the budget that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.dataset.location import Location
from pipelines.dataset.token_dataset import TokenDataset
from pipelines.display import format_size
from pipelines.tokens.tokenizer import Tokenizer
from training import networks
from training.bundle import start
from training.bundle.bundle import Bundle
from training.config import ModelConfig, TrainingConfig
from training.cost.shape import Device
from training.engine.precision import require_device
from training.hardware import devices
from training.memory import capacity, work
from training.memory.fitting import Fitting
from training.memory.formula import Estimate
from training.memory.plan import DeviceMemory, MemoryPlan, MemoryPlanner
from training.memory.probe import probe
from training.splits import open_splits
from training.tasks import RECOGNISE, STRUCTURE, Name, Task

PARTS = {
    "process": "interpreter and libraries",
    "parameters": "weights, float32",
    "optimizer": "optimizer state of each weight",
    "gradients": "one for each weight",
    "activations": "saved by the forward pass for the backward pass",
    "temporary": "needed meanwhile by the busiest operation",
    "batch": "token ids",
}
HEADER = ("part", "one longest sequence", "largest batch", "what it is")


@dataclass(frozen=True)
class LongestSequence:
    """The longest sequence of the splits that training reads.

    Attributes:
        tokens: its length.
        split: that it belongs to.
        interval: `genome:chromosome:start-end(strand)`, 0-based half-open, or its id where it has no position.
    """

    tokens: int
    split: str
    interval: str


@dataclass(frozen=True)
class Analysis:
    """What `raygene memory` shows.

    Attributes:
        plan: the parts, and the budget.
        longest: the sequence that is the hardest to fit.
        fitting: what is fitted after training.
        start: the bundle that training starts from; None: all weights are drawn.
        operations: floating-point operations of a training step for each token; None where they are not counted.
        filling_batch: the largest `training.global_batch_size` whose steps fit a GPU at once; None on a CPU.
    """

    plan: MemoryPlan
    longest: LongestSequence
    fitting: Fitting
    start: Bundle | None = None
    operations: float | None = None
    filling_batch: int | None = None

    def rows(self) -> list[tuple[object, ...]]:
        """The rows of the table: one for each part, and the peak."""
        alone, full = self.plan.alone, self.plan.full
        parts = [
            (name, format_size(getattr(alone, name)), format_size(getattr(full, name)), description)
            for name, description in PARTS.items()
            if getattr(full, name)
        ]
        return [*parts, ("peak", format_size(alone.peak), format_size(full.peak), f"busiest: {full.busiest}")]

    def to_json(self) -> dict[str, Any]:
        """All that the screen shows, flat; sizes in bytes."""
        plan = self.plan
        return {
            "token_budget": plan.token_budget,
            "sequences": plan.sequences,
            "start_from": self.start.fingerprint if self.start else None,
            "longest_tokens": self.longest.tokens,
            "longest_split": self.longest.split,
            "longest_interval": self.longest.interval,
            "device_kind": plan.device.kind,
            "device_memory": plan.device.size,
            "usable": plan.usable,
            "copies": plan.copies,
            "retained": plan.retained,
            "worker": plan.worker,
            "fitting": self.fitting.needed,
            "predicted_longest": plan.alone.peak,
            "predicted_largest": plan.full.peak,
            "probed_longest": plan.probe.peak if plan.probe else None,
            "correction": plan.correction,
            "retain_memory": plan.retain_memory,
            "operations_per_token": self.operations,
            "filling_global_batch_size": self.filling_batch,
            **_parts("longest", plan.alone),
            **_parts("largest", plan.full),
        }


def _parts(name: str, estimated: Estimate) -> dict[str, int]:
    return {f"{name}_{part}": round(getattr(estimated, part)) for part in PARTS}


def analyse(
    model: ModelConfig,
    training: TrainingConfig,
    dataset: Location,
    device_memory: int | None = None,
    device_kind: Device | None = None,
) -> Analysis:
    """Plan the memory of a training run.

    Args:
        model: the architecture.
        training: the optimisation.
        dataset: directory or address of a token dataset.
        device_memory: bytes of a device, which may be in another machine; None: of this machine's device.
        device_kind: cpu or cuda (default: cuda if `device_memory` is given, else what training would choose here).

    Raises:
        BundleError: the bundle to start from does not fit the dataset or the model.
        DatasetError: no finished dataset, or a split that is empty or lacks a class.
        DoesNotFitError: the longest sequence, the requested token budget or what is fitted after training does not fit.
        ResourceError: this machine lacks the device, or it does not compute in `training.precision`.
    """
    splits = list(open_splits(dataset))
    task = Task.of_dataset(splits[0].manifest["config"])
    training = task.training(training)
    model = task.model(model)
    networks.check(task, model)
    device = device_to_plan_for(training, device_memory, device_kind)
    require_device(training.precision, use_gpu=device.kind == "cuda")
    tokenizer = splits[0].tokenizer
    source = start.source(model, training, task, tokenizer)
    planner = MemoryPlanner(
        model,
        training,
        np.concatenate([split.lengths for split in splits]),
        tokenizer.vocabulary_size,
        device,
        lambda tokens: bases(tokenizer, tokens, task.name),
        probe if training.probe else None,
        task.name,
        shares_memory=False,
    )
    plan = planner.plan()
    fitting = Fitting.after_training(model, training, splits, plan.token_budget)
    if (available := _memory_to_fit_in(device)) is not None:
        fitting.require(available)
    operations = work.operations_per_token(model, training, plan.longest, task.name)
    filling = work.filling_batch(planner) if device.kind == "cuda" else None
    return Analysis(plan, _longest(splits), fitting, source, operations, filling)


def device_to_plan_for(training: TrainingConfig, device_memory: int | None, device_kind: Device | None) -> DeviceMemory:
    """The memory that each worker has on the given device, or on this machine's.

    Raises:
        ResourceError: this machine lacks the device.
    """
    if device_memory is not None:
        kind = device_kind or "cuda"
        size = device_memory // (training.workers if kind == "cpu" else 1)
        return DeviceMemory(kind, size, is_local=False, workers=training.workers)
    kind = device_kind or devices.require(training.device)
    size = capacity.available_memory(kind, training.workers)
    return DeviceMemory(kind, size, is_local=True, workers=training.workers)


def _memory_to_fit_in(device: DeviceMemory) -> int | None:
    """Bytes of the machine that has the device, once its workers have ended; None: only those of a GPU are known."""
    if device.is_local:
        return capacity.available_memory("cpu")
    return device.size * device.workers if device.kind == "cpu" else None


def bases(tokenizer: Tokenizer, tokens: int, task: Name = RECOGNISE) -> int:
    """Length in bases of a sequence of a number of tokens."""
    if task == STRUCTURE:
        return tokens
    return tokenizer.k + (tokens - 1) * tokenizer.stride


def _longest(splits: list[TokenDataset]) -> LongestSequence:
    split = max(splits, key=lambda split: int(split.lengths.max()))
    number = int(split.lengths.argmax())
    row = split.table.slice(number, 1).to_pylist()[0]
    position = f"{row['genome']}:{row['chromosome']}:{row['start']}-{row['end']}({row['strand']})"
    interval = position if row.get("chromosome") else str(row["interval_id"])
    return LongestSequence(int(split.lengths[number]), split.split, interval)
