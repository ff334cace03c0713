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


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def mark(self) -> float:
        return self.now

    def seconds(self, began: float, ended: float) -> float:
        return ended - began


def steps_by_hand(profiler: Profiler, hands: Hands, state: loop.State, lasting: Sequence[float]) -> int:
    """Steps in which every phase takes a second, backward what is given, and half a second goes by outside of phases."""
    for number, seconds in enumerate(lasting):
        for name in PHASES:
            with profiler.phase(name):
                hands.now += seconds if name == "backward" else 1.0
                if name == "backward":
                    torch.ones(8, 8) @ torch.ones(8, 8)
            if name == "data" and profiler.should_stop():
                return number
        hands.now += 0.5
        profiler.step_ended(state, StepFigures(1, number + 1, 0.7, 1.0, 1e-3, tokens=90, padded=100))
    return len(lasting)


@pytest.fixture
def state(train_split: TokenDataset) -> loop.State:
    config = ModelConfig(embedding=8, hidden=8, stem=8)
    return loop.start(models.make(config, train_split.tokenizer.vocabulary_size), TrainingConfig())


def test_phases_are_timed_on_the_steps_between_settling_and_recording(tmp_path: Path, state: loop.State) -> None:
    hands = Hands()
    profiler = Profiler(SHORT, CPU, tmp_path / "trace.json.gz", hands)
    steps_by_hand(profiler, hands, state, [50.0, 2.0, 2.0, 2.0, 2.0, 99.0, 4.0, 4.0, 1.0])
    found = profiler.measured()
    assert (found.steps, found.tokens, found.padded) == (4, 360, 400)
    assert found.seconds == {name: 8.0 if name == "backward" else 4.0 for name in PHASES} | {OTHER: 2.0}
    assert found.slowdown == pytest.approx(9.5 / 7.5 - 1)
    assert found.busy is None


def test_it_stops_when_the_last_step_is_recorded(tmp_path: Path, state: loop.State) -> None:
    hands = Hands()
    profiler = Profiler(SHORT, CPU, tmp_path / "trace.json.gz", hands)
    assert steps_by_hand(profiler, hands, state, [1.0] * 30) == SHORT.steps


def test_the_wait_at_the_end_of_an_epoch_is_no_step(tmp_path: Path, state: loop.State) -> None:
    hands = Hands()
    profiler = Profiler(SHORT, CPU, tmp_path / "trace.json.gz", hands)
    for _ in range(4):
        steps_by_hand(profiler, hands, state, [1.0, 1.0, 1.0])
        with profiler.phase("data"):
            hands.now += 7.0
        hands.now += 1000.0
    found = profiler.measured()
    assert found.steps == 4
    assert found.seconds["data"] == 4.0
    assert found.seconds[OTHER] == 2.0


def test_the_trace_names_the_phases_and_the_operators_within(tmp_path: Path, state: loop.State) -> None:
    hands, path = Hands(), tmp_path / "further" / "trace.json.gz"
    profiler = Profiler(SHORT, CPU, path, hands)
    steps_by_hand(profiler, hands, state, [1.0] * 9)
    with gzip.open(path, "rt") as stream:
        names = [event.get("name") for event in json.load(stream)["traceEvents"]]
    assert {f"{MARK}{name}" for name in PHASES} <= set(names)
    assert names.count(f"{MARK}backward") == SHORT.active
    operators = profiler.measured().operators
    assert "aten::mm" in [one.name for one in operators]
    assert not [one for one in operators if one.name.startswith(MARK)]
    assert sum(one.share for one in operators) == pytest.approx(1)
    assert [one.seconds for one in operators] == sorted((one.seconds for one in operators), reverse=True)
    assert next(one for one in operators if one.name == "aten::mm").calls == 1


def test_a_loop_that_ends_early_leaves_what_was_timed(tmp_path: Path, state: loop.State) -> None:
    hands = Hands()
    profiler = Profiler(SHORT, CPU, tmp_path / "trace.json.gz", hands)
    steps_by_hand(profiler, hands, state, [1.0, 1.0, 1.0])
    profiler.close()
    assert profiler.measured().steps == 1
    assert profiler.measured().operators == []


def test_a_trace_that_cannot_be_written_is_an_error_naming_it(tmp_path: Path, state: loop.State) -> None:
    (tmp_path / "file").touch()
    hands = Hands()
    profiler = Profiler(SHORT, CPU, tmp_path / "file" / "trace.json.gz", hands)
    with pytest.raises(ResourceError, match=r"trace\.json\.gz"):
        steps_by_hand(profiler, hands, state, [1.0] * 9)


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
        weights.append(torch.cat([one.reshape(-1) for one in network.state_dict().values()]))
    assert torch.equal(*weights)
