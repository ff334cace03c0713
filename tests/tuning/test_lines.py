from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tuning import lines
from tuning.config import TuningConfig
from tuning.trial import Trial

TRIAL = Trial(
    number=3,
    configuration=2,
    key="k",
    seed=6,
    parameters={"model.hidden": 8, "training.learning_rate": 0.0026834},
    state="finished",
    validation_auroc=0.94123,
    train_auroc=0.9559,
    memory_predicted=740 << 20,
    memory_measured=716 << 20,
    epochs=2,
    seconds=21.4,
)


def test_the_line_of_a_trial_has_its_metrics_memory_time_and_state() -> None:
    assert lines.format_trial(TRIAL, TuningConfig(), 2) == (
        "[2 of 16] trial 3: hidden 8, learning_rate 0.00268; AUROC 0.9412, on train +0.0147; "
        "716 MiB of 740 MiB predicted; 2 epochs in 21 s; finished"
    )


def test_the_line_of_an_infeasible_trial_has_its_reason() -> None:
    trial = Trial(1, 1, "k", 0, {"model.hidden": 4096}, "infeasible", "too large", memory_predicted=3 << 30)
    expected = "[1] trial 1: hidden 4096; 3 GiB predicted; infeasible (too large)"
    assert lines.format_trial(trial, TuningConfig(search="grid"), 1) == expected


def test_the_seed_is_shown_if_there_are_several() -> None:
    assert "learning_rate 0.00268, seed 6; " in lines.format_trial(TRIAL, TuningConfig(seeds=2), 1)
    trial = replace(TRIAL, state="stopped early", reason="behind")
    assert lines.format_trial(trial, TuningConfig(), 1).endswith("; stopped early (behind)")


def test_values_and_durations_are_short() -> None:
    values = [0.000123456, 12, True, "lstm", ["length", "gc"], None]
    assert [lines.format_value(value) for value in values] == ["0.000123", "12", "True", "lstm", "length gc", "None"]
    assert [lines.format_duration(seconds) for seconds in (42, 180, 9000)] == ["42 s", "3 min", "2.5 h"]


@pytest.mark.parametrize(("task", "key"), [("recognise", "crop.length"), ("structure", "window.length")])
def test_a_study_that_nothing_fits_names_the_key_of_lengths_of_its_task(task: Any, key: str) -> None:
    text = lines.format_nothing_fits(1 << 30, task)
    assert text.startswith("nothing fits 1 GiB: search smaller sizes or shorter sequences")
    assert f"({key})" in text
