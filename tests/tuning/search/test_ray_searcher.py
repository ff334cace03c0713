from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from tests.tuning.conftest import agenda
from training.observability import journal
from tuning.config import TuningConfig
from tuning.search.ray_searcher import Deadline, StudySearcher, scheduler
from tuning.trials.store import EPOCHS, TrialStore

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
    resumed = Running("resumed")
    found = decided(made, resumed, result(1, 0.5, before=True), result(2, 0.5))
    assert found == [TrialScheduler.CONTINUE] * 2
    for _ in range(3):
        decided(made, Running("ahead"), result(3, 0.9))
    assert made.on_trial_result(None, resumed, result(3, 0.1)) == TrialScheduler.STOP


def test_a_failure_is_no_figure() -> None:
    made = scheduler(TuningConfig(), METRIC, PAST)
    assert decided(made, Running("failed"), result(1, float("nan"), failed="why")) == [TrialScheduler.CONTINUE]


def test_without_a_scheduler_every_trial_runs_to_its_end() -> None:
    assert isinstance(scheduler(TuningConfig(scheduler="none"), METRIC, PAST), FIFOScheduler)


@pytest.fixture
def desk(tmp_path: Path) -> StudySearcher:
    """A desk that has handed out one trial, as `one`."""
    config = TuningConfig.model_validate({"space": {"model.hidden": [8, 16]}, "search": "grid"})
    plan = agenda(tmp_path, config)
    made = StudySearcher(plan, plan._ledger, lambda trial: {"key": trial.key}, METRIC, patience_s=0.0)
    assert made.suggest("one")
    return made


def states(output: Path) -> list[str]:
    return [row.state for row in TrialStore(output).trials]


def test_a_disk_that_is_full_ends_the_campaign_and_leaves_its_trial_to_be_gone_on_with(
    desk: StudySearcher, tmp_path: Path
) -> None:
    desk.on_trial_complete("one", {"stuck": ["/there: cannot be written", "free space"]})
    assert str(desk.error) == "/there: cannot be written: free space"
    assert desk.suggest("two") == StudySearcher.FINISHED
    assert Deadline(desk._agenda, desk).stop_all()
    assert states(tmp_path) == ["begun"]


def test_an_end_whose_epochs_are_not_seen_is_no_finished_trial(desk: StudySearcher, tmp_path: Path) -> None:
    desk.on_trial_complete("one", result(2, 0.9, over=True))
    assert "which is not seen here" in str(desk.error)
    assert states(tmp_path) == ["begun"]


def test_a_trial_that_another_clock_held_to_be_too_late_begins_without_a_limit(
    desk: StudySearcher, tmp_path: Path
) -> None:
    desk.on_trial_complete("one", {"unstarted": True})
    assert desk.error is None
    assert states(tmp_path) == ["begun"]
    assert desk.suggest("two")["given"]["until"] is None


def test_trials_that_end_while_the_desk_closes_stay_as_they_are(desk: StudySearcher, tmp_path: Path) -> None:
    desk.closing = True
    desk.on_trial_complete("one", None, error=True)
    assert states(tmp_path) == ["begun"]


def test_a_trial_that_ends_has_the_figures_of_its_best_epoch(desk: StudySearcher, tmp_path: Path) -> None:
    trial = desk._open["one"]
    epochs = [
        {"epoch": 1 + n, "validation_auroc": v, "validation_mcc": v, "trial_seconds": 1.0}
        for n, v in enumerate((0.8, 0.7))
    ]
    journal.write(desk._ledger.folder(trial) / EPOCHS, epochs)
    desk.on_trial_complete("one", result(2, 0.8, over=True))
    row = TrialStore(tmp_path).trials[0]
    assert (row.state, row.best_epoch, row.validation_auroc, row.epochs) == ("finished", 1, 0.8, 2)


def test_a_failed_trial_tells_how_to_try_it_again(desk: StudySearcher, tmp_path: Path) -> None:
    desk.on_trial_complete("one", {"failed": "the loss is no number"})
    row = TrialStore(tmp_path).trials[0]
    assert row.state == "failed"
    assert (
        row.reason
        == f"the loss is no number; to have it tried again, delete trials/{row.key[:16]} and run the same command"
    )
