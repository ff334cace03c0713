"""Where the time of a training step goes, by phase, and what to do about the largest overhead. Pure functions.

Forward and backward are the work; everything else is overhead. An overhead is the bottleneck if its share is above that
of a healthy run, `MAX_SHARES`. If none is, the work itself is the bottleneck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.engine.observer import PHASES

OTHER = "other"
WORK = ("forward", "backward")
MAX_SHARES = {"data": 0.05, "copy": 0.10, "reduce": 0.15, "optimizer": 0.15, OTHER: 0.15}
"""Share of a step's time above which the overhead of a phase is worth naming."""
MAX_PADDING = 0.10
"""Share of padding among the tokens."""
MIN_GPU_BUSY = 0.6
"""Share of a step in which a GPU computes that gets its work in time."""
MAX_CPU_WAIT = 0.15
"""Share of a step in which other processes had the CPUs."""
MEANINGS = {
    "data": "waiting for batches",
    "copy": "copying batches to the device",
    "forward": "forward pass and loss",
    "backward": "backward pass",
    "reduce": "summing gradients: waiting for other workers",
    "optimizer": "clipping and the optimizer's step",
    OTHER: "everything else: the loop in Python",
}


@dataclass(frozen=True)
class StepTimes:
    """One step of one worker.

    Attributes:
        seconds: from the start of its data phase to that of the next step.
        phases: seconds of each of its phases.
    """

    seconds: float
    phases: dict[str, float]


@dataclass(frozen=True)
class Setting:
    """The properties of a run that the advice depends on.

    Attributes:
        device: `cpu` or `cuda`.
        workers: number of processes.
        threads: CPUs of each process.
        used: of these, how many the model's operations use.
        precision: of the forward pass.
        padding: share of padding among the tokens.
        busy: share of a step in which the GPU computes; None on CPUs.
        queued: share of a step in which the loop's thread waited for a CPU; None on GPUs and where the system does not
            measure it.
        has_windows: whether the sequences are labelled windows (task structure), whose length the dataset decides.
    """

    device: str
    workers: int
    threads: int
    used: int
    precision: str
    padding: float
    busy: float | None = None
    queued: float | None = None
    has_windows: bool = False


@dataclass(frozen=True)
class Bottleneck:
    """What slows training down most.

    Attributes:
        name: a phase, `compute`, `padding`, `launches` or `contention`.
        share: of a step's time.
        advice: what the bottleneck is, and what to do about it.
    """

    name: str
    share: float
    advice: str

    def __str__(self) -> str:
        return f"{self.name}: {self.advice}"


def seconds_by_phase(steps: Sequence[StepTimes]) -> dict[str, float]:
    """Seconds of all steps by phase, in the order of a step; the rest of the time is `other`."""
    seconds = {name: sum(step.phases.get(name, 0.0) for step in steps) for name in PHASES}
    total = sum(step.seconds for step in steps)
    return seconds | {OTHER: max(0.0, total - sum(seconds.values()))}


def shares(seconds: dict[str, float]) -> dict[str, float]:
    """The share of each phase in the time; they add up to 1."""
    total = sum(seconds.values())
    return {name: value / total if total else 0.0 for name, value in seconds.items()}


def bottleneck(phase_shares: dict[str, float], setting: Setting) -> Bottleneck:
    """The largest overhead above that of a healthy run, or the work itself.

    Args:
        phase_shares: share of each phase, as `shares`.
        setting: the run.
    """
    overheads = [(share, name) for name, share in phase_shares.items() if share > MAX_SHARES.get(name, 1.0)]
    compute = sum(phase_shares.get(name, 0.0) for name in WORK)
    if setting.padding > MAX_PADDING:
        overheads.append((setting.padding * compute, "padding"))
    if setting.queued is not None and setting.queued > MAX_CPU_WAIT:
        overheads.append((setting.queued, "contention"))
    if setting.busy is not None and setting.busy < MIN_GPU_BUSY:
        # A GPU that waits for the host makes forward and backward long, unless another phase holds it up.
        overheads.append((max(0.0, 1 - setting.busy - sum(share for share, _ in overheads)), "launches"))
    if not overheads:
        return Bottleneck(
            "compute", compute, f"{compute:.0%} of a step is forward and backward. {_compute_advice(setting)}"
        )
    share, name = max(overheads)
    even = _EVEN_WINDOWS if setting.has_windows else _EVEN_SEQUENCES
    return Bottleneck(name, share, _ADVICE[name].format(share=share, workers=setting.workers, even=even))


_EVEN_SEQUENCES = "crop sequences to a length (crop.length)"
_EVEN_WINDOWS = "build windows that fewer sequences are shorter than (window.length)"


_ADVICE = {
    "data": "{share:.0%} of a step waits for batches, which one more thread of each worker prepares: give each worker "
    "one more CPU (fewer training.workers, or more cluster.cpus), or cut steps into fewer batches "
    "(training.token_budget)",
    "copy": "{share:.0%} of a step copies batches to the device: raise training.token_budget, so that copies are fewer "
    "and larger",
    "reduce": "{share:.0%} of a step sums the gradients of {workers} workers, mostly waiting for the slowest: raise "
    "training.global_batch_size, so that they wait less often, use fewer training.workers, or see that no worker "
    "shares its CPUs and that the network is the fast one",
    "optimizer": "{share:.0%} of a step is the optimizer: raise training.global_batch_size, so that steps are fewer "
    "and larger, or use a smaller model",
    OTHER: "{share:.0%} of a step is the loop itself, in Python: raise training.global_batch_size and "
    "training.token_budget, so that steps are fewer and larger",
    "padding": "{share:.0%} of a step computes on padding, because the sequences of a step differ much in length: use "
    "a smaller training.global_batch_size or training.token_budget, or {even}",
    "contention": "for {share:.0%} of a step other threads or processes had the CPUs while this one was ready to "
    "compute: end them, or use fewer training.workers, and measure again",
    "launches": "the GPU is idle for {share:.0%} of a step, while the host sends it small pieces of work: raise "
    "training.token_budget and training.global_batch_size, or use a model with fewer and larger operations (a stem of "
    "larger stride, the transformer)",
}


def _compute_advice(setting: Setting) -> str:
    """What makes the work itself faster."""
    if setting.device == "cpu":
        if setting.used < setting.threads:
            return (
                f"This model uses {setting.used} of its {setting.threads} CPUs: training.workers "
                f"{setting.workers * setting.threads // setting.used} use all. Beyond that: a GPU, a larger "
                "model.stem_stride, a smaller model"
            )
        return (
            "All CPUs are in use: use more of them (training.workers), a GPU, a larger model.stem_stride or a smaller "
            "model"
        )
    faster = "training.precision bf16, " if setting.precision == "fp32" else ""
    return f"The GPU is in use: use {faster}more GPUs (training.workers), a larger model.stem_stride or a smaller model"
