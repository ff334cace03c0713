"""Times the phases of training steps, and records a trace of a few more of them with torch's profiler.

Phases are timed on steps during which torch's profiler sleeps, for it slows steps down. On a CPU a phase lasts from call
to return. On a GPU events lie in its stream instead, so that nobody waits for it: a phase lasts from when the GPU reaches
its beginning to when it reaches its end, and time in which the GPU has nothing to do belongs to the phase the host is in.
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
    """How many steps to do what with.

    Attributes:
        settle: first steps, not counted: memory is found and kernels are chosen.
        timed: steps whose phases are timed.
        warmup: steps in which torch's profiler settles.
        active: steps it records.
    """

    settle: int = 5
    timed: int = 50
    warmup: int = 2
    active: int = 3

    @property
    def steps(self) -> int:
        """All of them."""
        return self.settle + self.timed + self.warmup + self.active


@dataclass(frozen=True)
class Operator:
    """An operator of torch over the recorded steps.

    Attributes:
        name: as torch calls it.
        seconds: a step, in the operator itself, not in those it calls; of the device that computes.
        calls: a step.
        share: of all operators' seconds.
    """

    name: str
    seconds: float
    calls: float
    share: float


@dataclass(frozen=True)
class Measured:
    """What a worker has seen.

    Attributes:
        steps: that were timed.
        seconds: of all of them, by phase.
        tokens: useful ones in them, over all workers.
        padded: tokens with padding, over all workers.
        operators: of the recorded steps, longest first.
        slowdown: of a padded token in the recorded steps; 0.1 is 10 % longer.
        busy: seconds that a GPU computed in a recorded step; None on CPUs.
        queued: seconds that the loop's thread waited for a CPU in the timed steps; None on GPUs and where nobody tells.
        memory: most bytes at once, of the device.
        trace: the file of recorded steps.
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
    """Tells how much time lies between two moments."""

    def mark(self) -> Any:
        """This moment."""

    def seconds(self, began: Any, ended: Any) -> float:
        """Between two marks; may wait for the device."""


class HostClock:
    """The host's own."""

    def mark(self) -> float:
        return time.perf_counter()

    def seconds(self, began: float, ended: float) -> float:
        return ended - began


class StreamClock:
    """Events in the current stream of a GPU: marking does not wait for it."""

    def mark(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, began: torch.cuda.Event, ended: torch.cuda.Event) -> float:
        ended.synchronize()
        return began.elapsed_time(ended) / 1e3


@dataclass
class _Marks:
    """A step under way, or done.

    Attributes:
        began: a mark of the clock.
        phases: name, and marks of beginning and end.
        queued: seconds waited for a CPU before the step, then within it.
    """

    began: Any
    phases: list[tuple[str, Any, Any]] = field(default_factory=list)
    queued: float | None = None

    @property
    def complete(self) -> bool:
        return bool(self.phases) and self.phases[-1][0] == "optimizer"


class Profiler(Observer):
    """Watches a run of `loop.fit` until enough steps are timed and recorded, then wants to stop.

    Args:
        plan: the steps.
        device: where the loop computes.
        trace: file of the recorded steps, `….json.gz`, for Perfetto or Chrome.
        clock: times phases; the device's own if absent.
    """

    def __init__(self, plan: Plan, device: torch.device, trace: Path, clock: Clock | None = None) -> None:
        self._plan, self._device, self._trace = plan, device, trace
        self._clock: Clock = clock or (StreamClock() if device.type == "cuda" else HostClock())
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
        self._profile = profile(
            activities=activities,
            schedule=schedule(wait=plan.settle + plan.timed, warmup=plan.warmup, active=plan.active, repeat=1),
            on_trace_ready=self._keep,
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
            self._turn()
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
        """End the recording, which otherwise ends with its last step."""
        if self._open is not None and not self._done:
            self._profile.stop()

    def measured(self) -> Measured:
        """What was seen; to be asked after the loop has returned.

        Raises:
            ValueError: the loop ended before a step was timed.
        """
        told = [
            StepTimes(self._clock.seconds(marks.began, ended), self._by_phase(marks)) for marks, ended in self._steps
        ]
        timed = slice(self._plan.settle, self._plan.settle + self._plan.timed)
        recorded = slice(self._plan.settle + self._plan.timed + self._plan.warmup, self._plan.steps)
        if not told[timed]:
            raise ValueError("no step was timed")
        figures = self._figures[timed][: len(told[timed])]
        usual, slowed = (self._seconds_per_token(told, which) for which in (timed, recorded))
        return Measured(
            steps=len(told[timed]),
            seconds=seconds_by_phase(told[timed]),
            tokens=sum(one.tokens for one in figures),
            padded=sum(one.padded for one in figures),
            operators=self._operators,
            slowdown=slowed / usual - 1 if slowed else 0.0,
            busy=self._busy,
            queued=self._queued(timed),
            memory=peak_bytes(self._device),
            trace=str(self._trace),
        )

    def _turn(self) -> None:
        """A step has ended, or an epoch, and another begins."""
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
        found: dict[str, float] = {}
        for name, began, ended in marks.phases:
            found[name] = found.get(name, 0.0) + self._clock.seconds(began, ended)
        return found

    def _seconds_per_token(self, told: list[StepTimes], which: slice) -> float:
        steps = told[which]
        padded = sum(one.padded for one in self._figures[which][: len(steps)])
        return sum(step.seconds for step in steps) / padded if padded else 0.0

    def _keep(self, found: profile) -> None:
        """Write the trace and take the operators' times, when torch's profiler has recorded its last step."""
        self._done = True
        try:
            self._trace.parent.mkdir(parents=True, exist_ok=True)
            found.export_chrome_trace(str(self._trace))
        except OSError as error:
            raise write_error(self._trace, error) from error
        on_gpu = self._device.type == "cuda"
        self._operators = operators(found.key_averages(), self._plan.active, on_gpu=on_gpu)
        if on_gpu:
            self._busy = sum(one.seconds for one in self._operators)


def operators(averages: Any, steps: int, *, on_gpu: bool) -> list[Operator]:
    """Operators by their own time on the device that computes, longest first.

    Args:
        averages: `key_averages()` of torch's profiler.
        steps: that it recorded.
        on_gpu: whether a GPU's time counts; that of the CPU otherwise.
    """
    seconds = {}
    for one in averages:
        if one.device_type.name != "CPU" or one.key.startswith((MARK, "ProfilerStep", "[memory]")):
            continue
        spent = one.self_device_time_total if on_gpu else one.self_cpu_time_total
        if spent > 0:
            seconds[one.key] = (spent / 1e6 / steps, one.count / steps)
    total = sum(spent for spent, _ in seconds.values())
    found = [Operator(name, spent, calls, spent / total) for name, (spent, calls) in seconds.items()]
    return sorted(found, key=lambda one: -one.seconds)
