"""Where a training step's time goes, by phase, and what to do about the largest loss. Pure functions over timings.

Forward and backward are the work; everything else is what a step loses. A loss is named when it is above what a healthy
run shows, `MOST`; if none is, the work itself is the bottleneck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.engine.observer import PHASES

OTHER = "other"
WORK = ("forward", "backward")
MOST = {"data": 0.05, "copy": 0.10, "reduce": 0.15, "optimizer": 0.15, OTHER: 0.15}
"""Share of a step's time above which a phase is a loss worth naming."""
MOST_PADDING = 0.10
LEAST_BUSY = 0.6
"""Share of a step in which a GPU that is fed well computes."""
MOST_TAKEN = 0.15
"""Share of a step in which other processes had the CPUs."""
SAID = {
    "data": "waiting for batches",
    "copy": "copying batches to the device",
    "forward": "forward pass and loss",
    "backward": "backward pass",
    "reduce": "adding up gradients: waiting for other workers",
    "optimizer": "clipping and the optimizer's step",
    OTHER: "everything else: the loop in Python",
}


@dataclass(frozen=True)
class StepTimes:
    """One step of one worker.

    Attributes:
        seconds: from waiting for its data to waiting for the next step's.
        phases: seconds of each phase that it had.
    """

    seconds: float
    phases: dict[str, float]


@dataclass(frozen=True)
class Setting:
    """What a run was, as far as advice depends on it.

    Attributes:
        device: `cpu` or `cuda`.
        workers: processes.
        threads: CPUs of each.
        used: of them, how many the model's operations use.
        precision: of the forward pass.
        padding: share of padding among the tokens.
        busy: share of a step in which the GPU computes; None on CPUs.
        queued: share of a step in which the loop's thread waited for a CPU; None on GPUs and where nobody tells.
    """

    device: str
    workers: int
    threads: int
    used: int
    precision: str
    padding: float
    busy: float | None = None
    queued: float | None = None


@dataclass(frozen=True)
class Bottleneck:
    """What holds training up most.

    Attributes:
        name: a phase, `compute`, `padding`, `launches` or `contention`.
        share: of a step's time.
        advice: what it is, and what to do about it.
    """

    name: str
    share: float
    advice: str

    def __str__(self) -> str:
        return f"{self.name}: {self.advice}"


def seconds_by_phase(steps: Sequence[StepTimes]) -> dict[str, float]:
    """Seconds of all steps by phase, in the order of a step; what no phase covers is `other`."""
    found = {name: sum(step.phases.get(name, 0.0) for step in steps) for name in PHASES}
    total = sum(step.seconds for step in steps)
    return found | {OTHER: max(0.0, total - sum(found.values()))}


def shares(seconds: dict[str, float]) -> dict[str, float]:
    """Each phase's part of the time, adding up to 1."""
    total = sum(seconds.values())
    return {name: value / total if total else 0.0 for name, value in seconds.items()}


def bottleneck(found: dict[str, float], setting: Setting) -> Bottleneck:
    """The largest loss above what is healthy, or the work itself.

    Args:
        found: share of each phase.
        setting: what the run was.
    """
    losses = [(share, name) for name, share in found.items() if share > MOST.get(name, 1.0)]
    compute = sum(found.get(name, 0.0) for name in WORK)
    if setting.padding > MOST_PADDING:
        losses.append((setting.padding * compute, "padding"))
    if setting.queued is not None and setting.queued > MOST_TAKEN:
        losses.append((setting.queued, "contention"))
    if setting.busy is not None and setting.busy < LEAST_BUSY:
        # A GPU that waits for the host shows in forward and backward, unless another phase holds it up.
        losses.append((max(0.0, 1 - setting.busy - sum(share for share, _ in losses)), "launches"))
    if not losses:
        return Bottleneck(
            "compute", compute, f"{compute:.0%} of a step is forward and backward. {_of_compute(setting)}"
        )
    share, name = max(losses)
    return Bottleneck(name, share, _ADVICE[name].format(share=share, workers=setting.workers))


_ADVICE = {
    "data": "{share:.0%} of a step waits for batches: they are made by one thread beside each worker; give workers a CPU "
    "more each (fewer training.workers, or more cluster.cpus), or cut steps into fewer pieces (training.token_budget)",
    "copy": "{share:.0%} of a step copies batches to the device: raise training.token_budget, so that copies are fewer and larger",
    "reduce": "{share:.0%} of a step adds up gradients of {workers} workers, mostly waiting for the slowest: raise training.global_batch_size, so that they meet "
    "less often, take fewer training.workers, or see that no worker shares its CPUs and that the network is the fast one",
    "optimizer": "{share:.0%} of a step is the optimizer: raise training.global_batch_size, so that steps are fewer and larger, or take a smaller model",
    OTHER: "{share:.0%} of a step is the loop itself, in Python: raise training.global_batch_size and training.token_budget, so that steps are fewer and larger",
    "padding": "{share:.0%} of a step computes on padding: sequences of one step differ much in length; take a smaller "
    "training.global_batch_size or training.token_budget, or cut sequences to a length (crop.length)",
    "contention": "for {share:.0%} of a step other threads or processes had the CPUs while this one wanted to compute: end them, or take "
    "fewer training.workers, and measure again",
    "launches": "the GPU is idle for {share:.0%} of a step, while the host sends it small pieces of work: raise training.token_budget "
    "and training.global_batch_size, or take a model with fewer and larger operations (a stem of larger stride, the transformer)",
}


def _of_compute(setting: Setting) -> str:
    """What speeds the work itself up."""
    if setting.device == "cpu":
        if setting.used < setting.threads:
            return (
                f"This model uses {setting.used} of its {setting.threads} CPUs: training.workers "
                f"{setting.workers * setting.threads // setting.used} use all. Beyond that: a GPU, a larger model.stem_stride, a smaller model"
            )
        return "All CPUs are at it: take more of them (training.workers), a GPU, a larger model.stem_stride or a smaller model"
    faster = "training.precision bf16, " if setting.precision == "fp32" else ""
    return f"The GPU is at it: take {faster}more GPUs (training.workers), a larger model.stem_stride or a smaller model"
