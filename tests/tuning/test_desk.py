from __future__ import annotations

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tuning.config import TuningConfig
from tuning.desk import scheduler

METRIC = "validation_auroc"


class Running:
    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


def result(epoch: int, auroc: float, **more: Any) -> dict[str, Any]:
    return {"epoch": epoch, METRIC: auroc, **more}


def decided(made: Any, trial: Any, *results: dict[str, Any]) -> list[str]:
    made.on_trial_add(None, trial)
    return [made.on_trial_result(None, trial, one) for one in results]


PAST = [[result(1, 0.9), result(2, 0.92)], [result(1, 0.8)], [result(1, 0.85)]]


def test_a_trial_behind_those_of_an_earlier_run_is_stopped_and_one_ahead_goes_on() -> None:
    made = scheduler(TuningConfig(), METRIC, PAST)
    assert decided(made, Running("behind"), result(1, 0.5)) == [TrialScheduler.STOP]
    assert decided(made, Running("ahead"), result(1, 0.95), result(2, 0.95)) == [TrialScheduler.CONTINUE] * 2


def test_epochs_that_are_told_again_decide_nothing_and_are_not_judged_twice() -> None:
    made = scheduler(TuningConfig(), METRIC, PAST)
    found = decided(made, Running("resumed"), result(1, 0.5, before=True), result(2, 0.5))
    assert found == [TrialScheduler.CONTINUE] * 2
    assert decided(made, Running("resumed early"), result(3, 0.1)) == [TrialScheduler.CONTINUE]


def test_a_failure_is_no_figure() -> None:
    made = scheduler(TuningConfig(), METRIC, PAST)
    assert decided(made, Running("failed"), result(1, float("nan"), failed="why")) == [TrialScheduler.CONTINUE]


def test_without_a_scheduler_every_trial_runs_to_its_end() -> None:
    assert isinstance(scheduler(TuningConfig(scheduler="none"), METRIC, PAST), FIFOScheduler)
