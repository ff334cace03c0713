from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from pipelines.dataset.token_dataset import TokenDataset
from pipelines.errors import ResourceError
from training import models
from training.config import ModelConfig, TrainingConfig
from training.engine import loop
from training.engine.collective import Alone
from training.engine.observer import PHASES, StepFigures
from training.profile.phases import OTHER
from training.profile.profiler import MARK, Plan, Profiler

CPU = torch.device("cpu")
SHORT = Plan(settle=1, timed=4, warmup=1, active=2)


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def mark(self) -> float:
        return self.now

    def seconds(self, began: float, ended: float) -> float:
        return ended - began


def run_steps(profiler: Profiler, clock: ManualClock, state: loop.State, backward_seconds: Sequence[float]) -> int:
    """Run steps in which every phase takes a second, but backward, and half a second passes outside of phases.

    Args:
        backward_seconds: of each step.

    Returns:
        The number of steps until the profiler stopped them.
    """
    for number, seconds in enumerate(backward_seconds):
        for name in PHASES:
            with profiler.phase(name):
                clock.now += seconds if name == "backward" else 1.0
                if name == "backward":
                    torch.ones(8, 8) @ torch.ones(8, 8)
            if name == "data" and profiler.should_stop():
                return number
        clock.now += 0.5
        profiler.step_ended(state, StepFigures(1, number + 1, 0.7, 1.0, 1e-3, tokens=90, padded=100))
    return len(backward_seconds)


@pytest.fixture
def state(train_split: TokenDataset) -> loop.State:
    config = ModelConfig(embedding=8, hidden=8, stem=8)
    return loop.start(models.make(config, train_split.tokenizer.vocabulary_size), TrainingConfig())


def test_phases_are_timed_on_the_steps_between_settling_and_recording(tmp_path: Path, state: loop.State) -> None:
    clock = ManualClock()
    profiler = Profiler(SHORT, CPU, tmp_path / "trace.json.gz", clock)
    run_steps(profiler, clock, state, [50.0, 2.0, 2.0, 2.0, 2.0, 99.0, 4.0, 4.0, 1.0])
    measured = profiler.measured()
    assert (measured.steps, measured.tokens, measured.padded) == (4, 360, 400)
    assert measured.seconds == {name: 8.0 if name == "backward" else 4.0 for name in PHASES} | {OTHER: 2.0}
    assert measured.slowdown == pytest.approx(9.5 / 7.5 - 1)
    assert measured.busy is None


def test_it_stops_when_the_last_step_is_recorded(tmp_path: Path, state: loop.State) -> None:
    clock = ManualClock()
    profiler = Profiler(SHORT, CPU, tmp_path / "trace.json.gz", clock)
    assert run_steps(profiler, clock, state, [1.0] * 30) == SHORT.steps


def test_the_wait_at_the_end_of_an_epoch_is_no_step(tmp_path: Path, state: loop.State) -> None:
    clock = ManualClock()
    profiler = Profiler(SHORT, CPU, tmp_path / "trace.json.gz", clock)
    for _ in range(4):
        run_steps(profiler, clock, state, [1.0, 1.0, 1.0])
        with profiler.phase("data"):
            clock.now += 7.0
        clock.now += 1000.0
    measured = profiler.measured()
    assert measured.steps == 4
    assert measured.seconds["data"] == 4.0
    assert measured.seconds[OTHER] == 2.0


def test_the_trace_names_the_phases_and_the_operators_within(tmp_path: Path, state: loop.State) -> None:
    clock, path = ManualClock(), tmp_path / "further" / "trace.json.gz"
    profiler = Profiler(SHORT, CPU, path, clock)
    run_steps(profiler, clock, state, [1.0] * 9)
    with gzip.open(path, "rt") as stream:
        names = [event.get("name") for event in json.load(stream)["traceEvents"]]
    assert {f"{MARK}{name}" for name in PHASES} <= set(names)
    assert names.count(f"{MARK}backward") == SHORT.active
    operators = profiler.measured().operators
    assert "aten::mm" in [operator.name for operator in operators]
    assert not [operator for operator in operators if operator.name.startswith(MARK)]
    assert sum(operator.share for operator in operators) == pytest.approx(1)
    assert [operator.seconds for operator in operators] == sorted(
        (operator.seconds for operator in operators), reverse=True
    )
    assert next(operator for operator in operators if operator.name == "aten::mm").calls == 1


def test_a_loop_that_ends_early_leaves_what_was_timed(tmp_path: Path, state: loop.State) -> None:
    clock = ManualClock()
    profiler = Profiler(SHORT, CPU, tmp_path / "trace.json.gz", clock)
    run_steps(profiler, clock, state, [1.0, 1.0, 1.0])
    profiler.close()
    assert profiler.measured().steps == 1
    assert profiler.measured().operators == []


def test_a_trace_that_cannot_be_written_is_an_error_naming_it(tmp_path: Path, state: loop.State) -> None:
    (tmp_path / "file").touch()
    clock = ManualClock()
    profiler = Profiler(SHORT, CPU, tmp_path / "file" / "trace.json.gz", clock)
    with pytest.raises(ResourceError, match=r"trace\.json\.gz"):
        run_steps(profiler, clock, state, [1.0] * 9)


def test_watching_does_not_change_training(
    tmp_path: Path, train_split: TokenDataset, validation_split: TokenDataset
) -> None:
    config = TrainingConfig(epochs=2, global_batch_size=16)
    weights = []
    for watched in (False, True):
        network = models.fresh(ModelConfig(embedding=8, hidden=8, stem=8), train_split.tokenizer, 0)
        state = loop.start(network, config)
        observer = Profiler(Plan(timed=100), CPU, tmp_path / "trace.json.gz") if watched else None
        assert loop.fit(state, train_split, validation_split, config, Alone(), CPU, observer)
        if observer:
            observer.close()
        weights.append(torch.cat([tensor.reshape(-1) for tensor in network.state_dict().values()]))
    assert torch.equal(*weights)
