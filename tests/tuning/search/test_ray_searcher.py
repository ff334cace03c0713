from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from pipelines.errors import ResourceError
from tests.tuning.conftest import make_queue
from training.config import ModelConfig, TrainingConfig
from training.observability import journal
from tuning import summary
from tuning.config import TuningConfig
from tuning.search.ray_searcher import StudySearcher, StudyStopper, make_scheduler
from tuning.trial import Trial
from tuning.trials.reports import EpochReport, NotStarted, StudyFailed, TimedOut, TrialFailed, to_result
from tuning.trials.store import EPOCHS, TrialStore
from tuning.trials.trial_spec import TrialSpec
from tuning.trials.tuner import SPEC

METRIC = "validation_auroc"
SPEC_OF_ANY = TrialSpec(ModelConfig(), TrainingConfig(), Path(), "", Path(), 8, True, 1, 0)


class RunningTrial:
    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id


def epoch(number: int, auroc: float, **more: Any) -> EpochReport:
    return EpochReport(number, auroc, auroc, **more)


def decisions(scheduler: Any, trial: Any, *reports: EpochReport | TrialFailed) -> list[str]:
    scheduler.on_trial_add(None, trial)
    return [scheduler.on_trial_result(None, trial, to_result(report)) for report in reports]


EARLIER = [[epoch(1, 0.9), epoch(2, 0.92)], [epoch(1, 0.8)], [epoch(1, 0.85)]]


def test_a_trial_behind_those_of_an_earlier_run_is_stopped_and_one_ahead_continues() -> None:
    scheduler = make_scheduler(TuningConfig(), METRIC, EARLIER)
    assert decisions(scheduler, RunningTrial("behind"), epoch(1, 0.5)) == [TrialScheduler.STOP]
    ahead = decisions(scheduler, RunningTrial("ahead"), epoch(1, 0.95), epoch(2, 0.95))
    assert ahead == [TrialScheduler.CONTINUE] * 2


def test_replayed_epochs_decide_nothing_and_are_not_compared_twice() -> None:
    scheduler = make_scheduler(TuningConfig(), METRIC, EARLIER)
    resumed = RunningTrial("resumed")
    replayed = decisions(scheduler, resumed, epoch(1, 0.5, is_replay=True), epoch(2, 0.5))
    assert replayed == [TrialScheduler.CONTINUE] * 2
    for number in range(3):
        decisions(scheduler, RunningTrial(f"ahead-{number}"), epoch(3, 0.9))
    assert scheduler.on_trial_result(None, resumed, to_result(epoch(3, 0.1))) == TrialScheduler.STOP


def test_a_failure_is_not_compared() -> None:
    scheduler = make_scheduler(TuningConfig(), METRIC, EARLIER)
    assert decisions(scheduler, RunningTrial("failed"), TrialFailed("why")) == [TrialScheduler.CONTINUE]


def test_without_a_scheduler_every_trial_runs_to_its_end() -> None:
    assert type(make_scheduler(TuningConfig(scheduler="none"), METRIC, EARLIER)) is FIFOScheduler


@pytest.fixture
def searcher(tmp_path: Path) -> StudySearcher:
    """A searcher that has suggested one trial, as `one`."""

    def make_spec(trial: Trial) -> TrialSpec:
        return TrialSpec(ModelConfig(), TrainingConfig(), tmp_path, "", tmp_path, 8, True, 1, 0, deadline=1.0)

    config = TuningConfig.model_validate({"space": {"model.hidden": [8, 16]}, "search": "grid"})
    queue = make_queue(tmp_path, config)
    searcher = StudySearcher(queue, queue._store, make_spec, METRIC, files_timeout_s=0.0)
    assert searcher.suggest("one")[SPEC].deadline == 1.0
    return searcher


class Room:
    """Admits trials while a test says that there is room; `usual` for one that is not proposed yet."""

    usual = proposed = True

    def admits(self, running: list[Trial], trial: Trial | None = None, *, have_all_started: bool) -> bool:
        return self.proposed if trial else self.usual


def test_no_trial_is_proposed_before_there_is_room_and_one_that_needs_more_waits(tmp_path: Path) -> None:
    config = TuningConfig.model_validate({"space": {"model.hidden": [8, 16]}, "search": "grid", "workers": 2})
    queue, room = make_queue(tmp_path, config), Room()
    searcher = StudySearcher(queue, queue._store, lambda trial: SPEC_OF_ANY, METRIC, admission=room)  # type: ignore[arg-type]
    room.usual = False
    assert searcher.suggest("one") is None
    assert states(tmp_path) == []
    room.usual, room.proposed = True, False
    assert [searcher.suggest(name) for name in ("one", "two")] == [None, None]
    assert states(tmp_path) == ["begun"]
    room.proposed = True
    assert [searcher.suggest(name) is None for name in ("one", "two")] == [False, False]
    assert [trial.number for trial in searcher.running] == [1, 2]


def test_a_row_says_when_its_process_first_began_and_when_it_ended(searcher: StudySearcher, tmp_path: Path) -> None:
    searcher.note_start("one")
    began_at = searcher.running[0].began_at
    assert began_at is not None
    searcher.note_start("one")
    searcher.on_trial_complete("one", to_result(TrialFailed("why")))
    row = TrialStore(tmp_path).trials[0]
    assert row.began_at == began_at
    assert row.ended_at is not None
    assert began_at <= row.ended_at


def test_a_cluster_that_is_too_small_ends_the_study(searcher: StudySearcher) -> None:
    def require() -> None:
        raise ResourceError("no CPU is left", "add a node")

    searcher.end_if_raised(require)
    assert str(searcher.error) == "no CPU is left: add a node"
    assert searcher.is_closing


def states(output: Path) -> list[str]:
    return [row.state for row in TrialStore(output).trials]


def test_a_full_disk_ends_the_study_and_leaves_its_trial_to_be_resumed(searcher: StudySearcher, tmp_path: Path) -> None:
    searcher.on_trial_complete("one", to_result(StudyFailed("/output: cannot be written", "free space")))
    assert str(searcher.error) == "/output: cannot be written: free space"
    assert searcher.suggest("two") == StudySearcher.FINISHED
    assert StudyStopper(searcher._queue, searcher).stop_all()
    assert states(tmp_path) == ["begun"]


def test_an_end_whose_epochs_are_not_visible_is_not_a_finished_trial(searcher: StudySearcher, tmp_path: Path) -> None:
    searcher.on_trial_complete("one", to_result(epoch(2, 0.9, is_last=True)))
    assert "which is not visible here" in str(searcher.error)
    assert states(tmp_path) == ["begun"]


def test_a_trial_that_another_clock_held_too_late_starts_without_a_deadline(
    searcher: StudySearcher, tmp_path: Path
) -> None:
    searcher.on_trial_complete("one", to_result(NotStarted()))
    assert searcher.error is None
    assert states(tmp_path) == ["begun"]
    assert searcher.suggest("two")[SPEC].deadline is None


def test_trials_that_end_while_the_searcher_is_closing_keep_their_rows(searcher: StudySearcher, tmp_path: Path) -> None:
    searcher.is_closing = True
    searcher.on_trial_complete("one", None, error=True)
    assert states(tmp_path) == ["begun"]


def test_a_trial_that_ends_has_the_metrics_of_its_best_epoch(searcher: StudySearcher, tmp_path: Path) -> None:
    records = [
        {"epoch": number, "validation_auroc": value, "validation_mcc": value, "trial_seconds": 1.0}
        for number, value in ((1, 0.8), (2, 0.7))
    ]
    journal.write(searcher._store.folder(searcher._running["one"]) / EPOCHS, records)
    searcher.on_trial_complete("one", to_result(epoch(2, 0.8, is_last=True)))
    row = TrialStore(tmp_path).trials[0]
    assert (row.state, row.best_epoch, row.validation_auroc, row.epochs) == ("finished", 1, 0.8, 2)


def test_a_failed_trial_says_how_to_try_it_again(searcher: StudySearcher, tmp_path: Path) -> None:
    searcher.on_trial_complete("one", to_result(TrialFailed("the loss is not a number")))
    row = TrialStore(tmp_path).trials[0]
    assert row.state == "failed"
    hint = f"to try it again, delete trials/{row.key[:16]} and run the same command"
    assert row.reason == f"the loss is not a number; {hint}"


def test_a_trial_whose_process_crashed_fails_with_its_last_error(searcher: StudySearcher, tmp_path: Path) -> None:
    (searcher._store.folder(searcher._running["one"]) / "error.txt").write_text("Traceback\nOSError: stale\n")
    searcher.on_trial_complete("one", None, error=True)
    row = TrialStore(tmp_path).trials[0]
    assert row.state == "failed"
    assert row.reason.startswith("OSError: stale; to try it again, delete ")


@pytest.mark.parametrize(("epochs", "state"), [(0, "failed"), (1, "stopped early")])
def test_a_trial_that_took_too_long_is_counted_by_what_its_epochs_reached(
    searcher: StudySearcher, tmp_path: Path, epochs: int, state: str
) -> None:
    records = [{"epoch": 1, "validation_auroc": 0.8, "validation_mcc": 0.5, "trial_seconds": 1.0}][:epochs]
    journal.write(searcher._store.folder(searcher._running["one"]) / EPOCHS, records)
    searcher.on_trial_complete("one", to_result(TimedOut(epochs, 60.0)))
    row = TrialStore(tmp_path).trials[0]
    assert (row.state, row.epochs) == (state, epochs)
    assert row.reason.startswith("tuning.trial_time_limit: not done after 60 s")
    assert "1 of them took longer than tuning.trial_time_limit" in summary.count_by_state([row])
