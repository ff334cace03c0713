"""What a trial may take of a machine: will it fit, and which share of a device does it need."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.tokens.tokenizer import Tokenizer
from training.bundle.weights import weights_of
from training.config import ModelConfig, TrainingConfig
from training.cost.shape import Device
from training.distributed import memory_plan
from training.memory.analysis import bases
from training.memory.plan import WORKER, DoesNotFitError, MemoryPlan, Room, plan

# What a process holds on a GPU before its first tensor: context, kernels and the libraries' workspaces.
CONTEXT = 600_000_000
# What a process of Ray Tune may hold beside what a worker of Ray Train does: the libraries of figures, and what is left of
# the trials that it has run before.
TUNE = 125_000_000
# Ray hands out shares of a device in ten-thousandths; a hundredth is as fine as an estimate is.
FINEST = 100


@dataclass(frozen=True)
class Machine:
    """Where trials run; of several machines the least.

    Attributes:
        kind: of the devices whose memory counts.
        memory: bytes of one: of a GPU, or of the machine.
        cpus: that come to so much memory, on the machine that has most of them to its memory.
        gpus: of a machine; 0: trials run on CPUs.
        here: whether a probe in this process tells something of it.
    """

    kind: Device
    memory: int
    cpus: float
    gpus: int
    here: bool


@dataclass(frozen=True)
class Feasibility:
    """Whether a trial may start.

    Attributes:
        fits: whether.
        predicted: bytes at its peak, a worker's own among them; of one longest sequence where that does not fit.
        room: bytes of the device.
        reason: why not.
        token_budget: most padded tokens in a batch.
        retain_memory: whether freed memory may be kept.
        cpus: of Ray.
        gpus: of Ray.
        weights: of the model.
    """

    fits: bool
    predicted: int
    room: int
    reason: str = ""
    token_budget: int | None = None
    retain_memory: bool = True
    cpus: float = 1
    gpus: float = 0
    weights: int | None = None

    @property
    def excess(self) -> float:
        """By which share of the room it is too large; at most 0 where it fits."""
        return 0.0 if self.fits else max(self.predicted / max(self.room, 1) - 1, 1e-6)


def judge(
    model: ModelConfig,
    training: TrainingConfig,
    lengths: NDArray[np.int64],
    tokenizer: Tokenizer,
    machine: Machine,
) -> Feasibility:
    """Plan a trial's memory at the longest sequence, and say what it is to get.

    Args:
        model: the architecture.
        training: the optimisation; its workers share a machine's memory on CPUs.
        lengths: tokens of every sequence that training reads, shape (rows,).
        tokenizer: of the dataset.
        machine: where it would run.
    """
    size = machine.memory // (training.workers if machine.kind == "cpu" else 1)
    room = Room(machine.kind, size, machine.here)

    def decide(optimisation: TrainingConfig, *, try_out: bool = False) -> MemoryPlan:
        vocabulary = tokenizer.vocabulary_size
        return plan(
            model, optimisation, lengths, vocabulary, room, lambda tokens: bases(tokenizer, tokens), try_out=try_out
        )

    def tried(optimisation: TrainingConfig) -> MemoryPlan:
        found = decide(optimisation)
        tight = found.peak > memory_plan.TIGHT * found.usable
        return decide(optimisation, try_out=True) if training.probe and machine.here and tight else found

    weights = weights_of(model, tokenizer.vocabulary_size)
    try:
        found = memory_plan.below(tried, training, tried(training))
    except DoesNotFitError as error:
        needed = error.needed + _beside(machine.kind)
        return Feasibility(fits=False, predicted=needed, room=size, reason=str(error), weights=weights)
    predicted = found.peak + found.copies + found.kept + _beside(machine.kind)
    cpus, gpus = share(predicted, round(size * (1 - training.headroom)), machine)
    return Feasibility(
        fits=True,
        predicted=predicted,
        room=size,
        token_budget=found.token_budget,
        retain_memory=found.retain_memory and machine.kind == "cpu",
        cpus=cpus,
        gpus=gpus,
        weights=weights,
    )


def share(predicted: int, usable: int, machine: Machine) -> tuple[float, float]:
    """CPUs and the share of a GPU that a trial is to get, so that all that run at once fit.

    Args:
        predicted: bytes at its peak.
        usable: bytes of the device, headroom left out.
        machine: where it would run.

    Returns:
        On GPUs a CPU and the share of one GPU, in hundredths rounded up. On CPUs as many of the machine's CPUs as the
        trial takes of its memory, rounded up; at least one.
    """
    part = min(1.0, predicted / max(usable, 1))
    if machine.gpus:
        return 1, math.ceil(part * FINEST) / FINEST
    return max(1, math.ceil(part * machine.cpus)), 0


def _beside(kind: Device) -> int:
    return WORKER + TUNE if kind == "cpu" else CONTEXT
