"""What a study shows while its trials run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.observability import journal
from tuning.config import TuningConfig
from tuning.trial import Trial
from tuning.trials import heartbeat
from tuning.trials.heartbeat import Heartbeat, RunningTrial
from tuning.trials.store import EPOCHS, TrialStore

CONFIG = TuningConfig.model_validate({"configurations": 6})


class Shown:
    """A stage that keeps its last description."""

    def __init__(self) -> None:
        self.text, self.advanced = "", 0

    def advance(self, amount: float = 1) -> None:
        self.advanced += 1

    def describe(self, text: str) -> None:
        self.text = text


def record(epoch: int, auroc: float, seconds: float) -> dict[str, Any]:
    return {"epoch": epoch, "validation_auroc": auroc, "validation_mcc": 0.0, "trial_seconds": seconds}


def study(folder: Path, **options: Any) -> tuple[Heartbeat, Shown, TrialStore]:
    """Of six trials the first has taken 80 s, and the second is in its third epoch."""
    store, shown = TrialStore(folder), Shown()
    for number, records in ((1, [record(1, 0.9, 80.0)]), (2, [record(1, 0.8, 10.0), record(2, 0.81, 14.0)])):
        trial = Trial(number, number, str(number) * 64, 0, {})
        store.write(trial)
        journal.write(store.folder(trial) / EPOCHS, records)
    store.end(store.trials[0], "finished")
    budget = options.get("budget")
    return Heartbeat(store, CONFIG, shown, lambda trial: 8, lambda: budget), shown, store


def test_running_trials_the_best_result_and_the_time_left_are_shown(tmp_path: Path) -> None:
    beat, shown, store = study(tmp_path)
    beat([store.trials[1]])
    # Six epochs of 12 s, and four trials of 80 s one after the other.
    expected = "trial 2: epoch 3 of 8, 12 s each; best AUROC 0.9000 (trial 1); about 7 min left"
    assert shown.text == expected


def test_no_more_time_is_left_than_the_budget(tmp_path: Path) -> None:
    beat, shown, store = study(tmp_path, budget=30.0)
    beat([store.trials[1]])
    assert shown.text.endswith("about 30 s left")


def test_before_the_first_epoch_only_the_time_so_far_is_known(tmp_path: Path) -> None:
    beat = Heartbeat(TrialStore(tmp_path), CONFIG, Shown(), lambda trial: 8, lambda: None)
    assert beat.text([RunningTrial(1, 0, 8, 130.0, None)]) == "trial 1: epoch 1 of 8, for 2 min"


def test_of_many_trials_a_few_are_described(tmp_path: Path) -> None:
    beat = Heartbeat(TrialStore(tmp_path), CONFIG, Shown(), lambda trial: 8, lambda: None)
    text = beat.text([RunningTrial(number, 0, 8, 1.0, None) for number in range(1, 17)])
    assert "trial 3" in text
    assert "trial 4" not in text
    assert "13 more running" in text


def test_a_log_gets_a_line_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now)
    beat, shown, store = study(tmp_path)
    for now in range(1000, 1130):  # noqa: B007 (the clock reads it)
        beat([store.trials[1]])
    assert shown.advanced == 2
