"""Whether a trial fits the memory of a machine, and which share of a device it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.tokens.tokenizer import Tokenizer
from training.bundle.weights import RECOGNITION, count_parameters
from training.config import ModelConfig, TrainingConfig
from training.cost.shape import Device
from training.distributed import memory_plan
from training.memory.analysis import bases
from training.memory.plan import WORKER_BYTES, DeviceMemory, DoesNotFitError, MemoryPlanner
from training.memory.probe import probe
from training.tasks import Task

# What a process holds on a GPU before its first tensor: context, kernels and the libraries' workspaces.
CUDA_CONTEXT = 600_000_000
# What a process of Ray Tune may hold in addition to a worker of Ray Train: what remains of trials that it ran before.
TUNE_PROCESS = 125_000_000
# Ray reserves GPUs in ten-thousandths; the estimate of memory is no finer than a hundredth.
GPU_PARTS = 100


@dataclass(frozen=True)
class Machine:
    """Where trials run; of several machines the smallest.

    Attributes:
        kind: of the devices whose memory counts.
        memory: bytes of one device: of a GPU, or of the machine.
        cpus: that share this memory, at the rate of the machine that has most CPUs for its memory.
        gpus: of a machine; 0: trials run on CPUs.
        is_local: whether a probe in this process measures the device that trials run on.
    """

    kind: Device
    memory: int
    cpus: float
    gpus: int
    is_local: bool


@dataclass(frozen=True)
class Feasibility:
    """Whether a trial may start, and what it gets.

    Attributes:
        fits: whether its largest batch fits the memory.
        predicted: bytes at its peak, including what a process holds; if it does not fit, bytes of one longest sequence.
        available: bytes of the device.
        reason: why it does not fit.
        token_budget: maximum number of padded tokens in a batch.
        retain_memory: whether the process may retain memory that it has freed.
        cpus: CPUs to reserve with Ray.
        gpus: GPUs to reserve with Ray.
        weights: learnable numbers of the model.
    """

    fits: bool
    predicted: int
    available: int
    reason: str = ""
    token_budget: int | None = None
    retain_memory: bool = True
    cpus: float = 1
    gpus: float = 0
    weights: int | None = None


def excess_share(predicted: int, available: int) -> float:
    """By which share of the available memory a trial that does not fit exceeds it; always above 0."""
    return max(predicted / max(available, 1) - 1, 1e-6)


def check_memory(
    model: ModelConfig,
    training: TrainingConfig,
    lengths: NDArray[np.int64],
    tokenizer: Tokenizer,
    machine: Machine,
    task: Task = RECOGNITION,
) -> Feasibility:
    """Plan the memory of a trial at the longest sequence.

    Args:
        model: the architecture.
        training: the optimization; on CPUs its workers share the memory of a machine.
        lengths: tokens of each sequence that training reads, shape (rows,).
        tokenizer: of the dataset.
        machine: where it would run.
        task: of the dataset.
    """
    available = machine.memory // (training.workers if machine.kind == "cpu" else 1)
    planner = MemoryPlanner(
        model,
        training,
        lengths,
        tokenizer.vocabulary_size,
        DeviceMemory(machine.kind, available, machine.is_local, training.workers),
        lambda tokens: bases(tokenizer, tokens, task.name),
        probe if training.probe else None,
        task.name,
    )
    weights = count_parameters(model, tokenizer.vocabulary_size, task)
    try:
        plan = memory_plan.cap_budget(
            lambda config: replace(planner, training=config).plan_probing_if_tight(), training
        )
    except DoesNotFitError as error:
        needed = error.needed + _process_memory(machine.kind)
        return Feasibility(fits=False, predicted=needed, available=available, reason=str(error), weights=weights)
    predicted = plan.worker + (TUNE_PROCESS if machine.kind == "cpu" else CUDA_CONTEXT)
    cpus, gpus = resource_share(predicted, round(available * (1 - training.headroom)), machine)
    return Feasibility(
        fits=True,
        predicted=predicted,
        available=available,
        token_budget=plan.token_budget,
        retain_memory=plan.retain_memory and machine.kind == "cpu",
        cpus=cpus,
        gpus=gpus,
        weights=weights,
    )


def resource_share(predicted: int, usable: int, machine: Machine) -> tuple[float, float]:
    """The CPUs and GPUs to reserve for a trial, so that all trials that Ray runs at once fit the memory.

    Args:
        predicted: bytes at its peak.
        usable: bytes of the device, without headroom.
        machine: where it would run.

    Returns:
        On GPUs one CPU and the fraction of a GPU whose memory the trial takes, in hundredths, rounded up. On CPUs the
        fraction of the machine's CPUs that equals its share of the memory, rounded up to whole CPUs, at least one.
    """
    share = min(1.0, predicted / max(usable, 1))
    if machine.gpus:
        return 1, math.ceil(share * GPU_PARTS) / GPU_PARTS
    return max(1, math.ceil(share * machine.cpus)), 0


def _process_memory(kind: Device) -> int:
    """Bytes that the process of a trial holds besides its model and batches."""
    return WORKER_BYTES + TUNE_PROCESS if kind == "cpu" else CUDA_CONTEXT
