"""Times the phases of training steps, and records a trace of a few more steps with PyTorch's profiler.

Phases are timed on steps during which PyTorch's profiler is off, because it slows steps down. On a CPU a phase lasts
from call to return. On a GPU events are put into its stream instead, so that the host never waits for it. A phase then
lasts from when the GPU reaches its beginning to when it reaches its end. Time in which the GPU is idle belongs to the
phase that the host is in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.profiler import ProfilerActivity, profile, record_function, schedule

from pipelines.storage import write_error
from training.engine.observer import Observer, Phase, StepFigures
from training.engine.state import State
from training.hardware.contention import queued_seconds
from training.hardware.usage import peak_bytes
from training.profile.phases import StepTimes, seconds_by_phase

MARK = "raygene: "


@dataclass(frozen=True)
class Plan:
    """How many steps are used for what.

    Attributes:
        settle: first steps, which do not count: memory is allocated and kernels are chosen.
        timed: steps whose phases are timed.
        warmup: steps in which PyTorch's profiler warms up.
        active: steps that it records.
    """

    settle: int = 5
    timed: int = 50
    warmup: int = 2
    active: int = 3

    @property
    def steps(self) -> int:
        """Number of all steps."""
        return self.settle + self.timed + self.warmup + self.active


@dataclass(frozen=True)
class Operator:
    """An operator of PyTorch over the recorded steps.

    Attributes:
        name: PyTorch's name for it.
        seconds: per step, in the operator itself and not in those it calls, on the device that computes.
        calls: per step.
        share: of the seconds of all operators.
    """

    name: str
    seconds: float
    calls: float
    share: float


@dataclass(frozen=True)
class Measurement:
    """What a worker has measured.

    Attributes:
        steps: number of timed steps.
        seconds: of all timed steps, by phase.
        tokens: in the timed steps, without padding, over all workers.
        padded: tokens with padding, over all workers.
        operators: of the recorded steps, longest first.
        slowdown: by how much longer a token took in the recorded steps; 0.1 is 10 %.
        busy: seconds that a GPU computed in a recorded step; None on CPUs.
        queued: seconds that the loop's thread waited for a CPU in the timed steps; None on GPUs and where the system
            does not measure it.
        memory: peak bytes of the device.
        trace: file of the recorded steps.
    """

    steps: int
    seconds: dict[str, float]
    tokens: int
    padded: int
    operators: list[Operator]
    slowdown: float
    busy: float | None
    queued: float | None
    memory: int
    trace: str


class Clock(Protocol):
    """Measures the time between two marks."""

    def mark(self) -> Any:
        """Mark this moment."""

    def seconds(self, began: Any, ended: Any) -> float:
        """Seconds between two marks; may wait for the device."""


class HostClock:
    """The clock of the host."""

    def mark(self) -> float:
        return time.perf_counter()

    def seconds(self, began: float, ended: float) -> float:
        return ended - began


class StreamClock:
    """Events in the current stream of a GPU; a mark does not wait for the GPU."""

    def mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, began: torch.cuda.Event, ended: torch.cuda.Event) -> float:
        ended.synchronize()
        return began.elapsed_time(ended) / 1e3


@dataclass
class _Marks:
    """The marks of one step.

    Attributes:
        began: when the step began.
        phases: name, mark of the beginning, mark of the end.
        queued: seconds waited for a CPU before the step, then within it.
    """

    began: Any
    phases: list[tuple[str, Any, Any]] = field(default_factory=list)
    queued: float | None = None

    @property
    def complete(self) -> bool:
        return bool(self.phases) and self.phases[-1][0] == "optimizer"


class Profiler(Observer):
    """Watches `loop.fit` until enough steps are timed and recorded, then stops it.

    Args:
        plan: the steps.
        device: where the loop computes.
        trace: file of the recorded steps, `….json.gz`, for Perfetto or Chrome.
        clock: times the phases (default: that of the device).
    """

    def __init__(self, plan: Plan, device: torch.device, trace: Path, clock: Clock | None = None) -> None:
        self._plan, self._device, self._trace = plan, device, trace
        self._clock: Clock = clock or (StreamClock() if device.type == "cuda" else HostClock())
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
        self._profile = profile(
            activities=activities,
            schedule=schedule(wait=plan.settle + plan.timed, warmup=plan.warmup, active=plan.active, repeat=1),
            on_trace_ready=self._save_trace,
            profile_memory=True,
        )
        self._open: _Marks | None = None
        self._steps: list[tuple[_Marks, Any]] = []
        self._figures: list[StepFigures] = []
        self._operators: list[Operator] = []
        self._busy: float | None = None
        self._done = False

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        if name == "data":
            self._begin_step()
        assert self._open is not None
        began = self._clock.mark()
        recording = len(self._steps) >= self._plan.settle + self._plan.timed and not self._done
        with record_function(MARK + name) if recording else nullcontext():
            yield
        self._open.phases.append((name, began, self._clock.mark()))

    def step_ended(self, state: State, figures: StepFigures) -> None:
        self._figures.append(figures)

    def should_stop(self) -> bool:
        return self._done

    def close(self) -> None:
        """Stop the recording if the loop ended before its last step."""
        if self._open is not None and not self._done:
            self._profile.stop()

    def measured(self) -> Measurement:
        """What was measured; call it after the loop has returned.

        Raises:
            ValueError: the loop ended before a step was timed.
        """
        times = [
            StepTimes(self._clock.seconds(marks.began, ended), self._by_phase(marks)) for marks, ended in self._steps
        ]
        timed = slice(self._plan.settle, self._plan.settle + self._plan.timed)
        recorded = slice(self._plan.settle + self._plan.timed + self._plan.warmup, self._plan.steps)
        if not times[timed]:
            raise ValueError("no step was timed")
        figures = self._figures[timed][: len(times[timed])]
        usual, slowed = (self._seconds_per_token(times, which) for which in (timed, recorded))
        return Measurement(
            steps=len(times[timed]),
            seconds=seconds_by_phase(times[timed]),
            tokens=sum(step.tokens for step in figures),
            padded=sum(step.padded for step in figures),
            operators=self._operators,
            slowdown=slowed / usual - 1 if slowed else 0.0,
            busy=self._busy,
            queued=self._queued(timed),
            memory=peak_bytes(self._device),
            trace=str(self._trace),
        )

    def _begin_step(self) -> None:
        """Begin a step, which ends the one before; after the last step of an epoch there is none to end."""
        now = self._clock.mark()
        queued = None if self._device.type == "cuda" else queued_seconds()
        if self._open is None:
            self._profile.start()
        elif self._open.complete:
            if queued is not None and self._open.queued is not None:
                self._open.queued = queued - self._open.queued
            self._steps.append((self._open, now))
            if not self._done:
                self._profile.step()
        self._open = _Marks(now, queued=queued)

    def _queued(self, which: slice) -> float | None:
        seconds = [marks.queued for marks, _ in self._steps[which] if marks.queued is not None]
        return sum(seconds) if seconds else None

    def _by_phase(self, marks: _Marks) -> dict[str, float]:
        seconds: dict[str, float] = {}
        for name, began, ended in marks.phases:
            seconds[name] = seconds.get(name, 0.0) + self._clock.seconds(began, ended)
        return seconds

    def _seconds_per_token(self, times: list[StepTimes], which: slice) -> float:
        steps = times[which]
        padded = sum(figures.padded for figures in self._figures[which][: len(steps)])
        return sum(step.seconds for step in steps) / padded if padded else 0.0

    def _save_trace(self, recorded: profile) -> None:
        """Write the trace and take over the times of operators, when PyTorch's profiler has recorded its last step."""
        self._done = True
        try:
            self._trace.parent.mkdir(parents=True, exist_ok=True)
            recorded.export_chrome_trace(str(self._trace))
        except OSError as error:
            raise write_error(self._trace, error) from error
        on_gpu = self._device.type == "cuda"
        self._operators = operators(recorded.key_averages(), self._plan.active, on_gpu=on_gpu)
        if on_gpu:
            self._busy = sum(operator.seconds for operator in self._operators)


def operators(averages: Any, steps: int, *, on_gpu: bool) -> list[Operator]:
    """Operators by their own time on the device that computes, longest first.

    Args:
        averages: `key_averages()` of PyTorch's profiler.
        steps: number of steps that it recorded.
        on_gpu: whether the time on a GPU counts; otherwise that on the CPU.
    """
    seconds = {}
    for average in averages:
        if average.device_type.name != "CPU" or average.key.startswith((MARK, "ProfilerStep", "[memory]")):
            continue
        microseconds = average.self_device_time_total if on_gpu else average.self_cpu_time_total
        if microseconds > 0:
            seconds[average.key] = (microseconds / 1e6 / steps, average.count / steps)
    total = sum(per_step for per_step, _ in seconds.values())
    rows = [Operator(name, per_step, calls, per_step / total) for name, (per_step, calls) in seconds.items()]
    return sorted(rows, key=lambda operator: -operator.seconds)
