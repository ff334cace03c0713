from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tuning.conftest import agenda
from training.observability import journal
from tuning.config import TuningConfig
from tuning.search.queue import TrialQueue
from tuning.trial import Trial
from tuning.trials.store import EPOCHS, TrialStore


def config(hidden: list[int], **more: Any) -> TuningConfig:
    return TuningConfig.model_validate({"space": {"model.hidden": hidden}, "search": "grid", **more})


def drained(found: TrialQueue) -> list[Trial]:
    trials = []
    while (trial := found.next()) is not None:
        trials.append(trial)
    return trials


def record(found: TrialQueue, trial: Trial, auroc: float, epoch: int = 1) -> None:
    figures = {"epoch": epoch, "validation_auroc": auroc, "validation_mcc": 0.1, "trial_seconds": 1.0}
    journal.write(found._ledger.folder(trial) / EPOCHS, [figures])


def ended(found: TrialQueue, output: Path, trial: Trial, auroc: float) -> None:
    record(found, trial, auroc)
    found.ended(found._ledger.end(trial, "finished"))


def test_what_does_not_fit_has_its_row_and_is_not_handed_out(tmp_path: Path) -> None:
    told: list[Trial] = []
    found = agenda(tmp_path, config([8, 128, 16, 256]), told)
    assert [trial.parameters["model.hidden"] for trial in drained(found)] == [8, 16]
    rows = TrialStore(tmp_path).trials
    assert [(row.parameters["model.hidden"], row.state) for row in rows] == [
        (8, "begun"),
        (128, "infeasible"),
        (16, "begun"),
        (256, "infeasible"),
    ]
    assert [row.memory_predicted for row in told] == [1280, 2560]
    assert all(row.reason == "too large" for row in told)


def test_values_that_do_not_go_together_have_a_row_with_the_reason(tmp_path: Path) -> None:
    space = {"model.kind": ["transformer"], "model.hidden": [8, 12]}
    found = agenda(tmp_path, TuningConfig.model_validate({"space": space, "search": "grid"}))
    assert [trial.parameters["model.hidden"] for trial in drained(found)] == [8]
    refused = next(row for row in TrialStore(tmp_path).trials if row.state == "infeasible")
    assert "hidden 12 is not a multiple of 8" in refused.reason
    assert refused.memory_predicted is None


def test_every_configuration_is_tried_with_every_seed(tmp_path: Path) -> None:
    trials = drained(agenda(tmp_path, config([8, 16], seeds=3)))
    assert [(trial.configuration, trial.seed) for trial in trials] == [(1, 5), (1, 6), (1, 7), (2, 5), (2, 6), (2, 7)]
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5, 6]
    assert len({trial.key for trial in trials}) == 6


def test_after_a_kill_what_was_begun_comes_first_and_what_ended_never(tmp_path: Path) -> None:
    first = agenda(tmp_path, config([8, 16, 32], seeds=2))
    begun = [first.next() for _ in range(3)]
    assert begun[0] is not None
    ended(first, tmp_path, begun[0], 0.7)
    again = drained(agenda(tmp_path, config([8, 16, 32], seeds=2)))
    assert [(trial.configuration, trial.seed) for trial in again] == [(1, 6), (2, 5), (2, 6), (3, 5), (3, 6)]
    assert sorted(row.number for row in TrialStore(tmp_path).trials) == [1, 2, 3, 4, 5, 6]


def test_a_campaign_ends_with_its_number_of_configurations_those_that_do_not_fit_counted(tmp_path: Path) -> None:
    found = agenda(tmp_path, config([8, 128, 16, 32], configurations=3))
    assert [trial.parameters["model.hidden"] for trial in drained(found)] == [8, 16]
    assert found.ending() == "tuning.configurations 3"


def test_a_campaign_ends_when_nothing_better_has_come_for_a_while(tmp_path: Path) -> None:
    found = agenda(tmp_path, config([8, 12, 16, 20, 24, 28], patience=2))
    for auroc in (0.6, 0.8, 0.7, 0.75):
        trial = found.next()
        assert trial is not None
        ended(found, tmp_path, trial, auroc)
    assert found.next() is None
    assert "2 configurations without a better one" in (found.ending() or "")


def test_a_campaign_out_of_time_hands_out_nothing_earlier_runs_counted(tmp_path: Path) -> None:
    assert agenda(tmp_path, config([8], seconds=100), spent=99).next() is not None
    late = agenda(tmp_path, config([8], seconds=100), spent=101)
    assert late.next() is None
    assert late.out_of_time()


def test_random_draws_end_when_a_small_space_is_gone_through(tmp_path: Path) -> None:
    given = {"space": {"model.hidden": {"choice": [8, 16]}}, "search": "random", "configurations": 10}
    assert len(drained(agenda(tmp_path, TuningConfig.model_validate(given)))) == 2


def test_a_search_that_proposes_the_same_again_goes_through_what_is_left_of_its_space(tmp_path: Path) -> None:
    sizes = [4, 8, 12, 16, 20]
    space = {"model.embedding": {"choice": sizes}, "model.hidden": {"choice": sizes}}
    found = agenda(tmp_path, TuningConfig.model_validate({"space": space, "configurations": 30}))
    while (trial := found.next()) is not None:
        # Higher at one corner, so that the estimator narrows down.
        ended(found, tmp_path, trial, 0.5 + sum(trial.parameters.values()) / 100)
    rows = TrialStore(tmp_path).trials
    assert len({str(row.parameters) for row in rows}) == len(rows) == 25
    assert found.ending() == "the space is gone through, 25 configurations"


def test_random_draws_of_a_long_campaign_go_on_after_a_kill(tmp_path: Path) -> None:
    given = {"space": {"training.learning_rate": {"uniform": [0.001, 0.1]}}, "search": "random", "configurations": 70}
    config = TuningConfig.model_validate(given)
    first = agenda(tmp_path, config)
    for _ in range(60):
        trial = first.next()
        assert trial is not None
        ended(first, tmp_path, trial, 0.5)
    assert len(drained(agenda(tmp_path, config))) == 10
    assert len({row.parameters["training.learning_rate"] for row in TrialStore(tmp_path).trials}) == 70


def test_an_interrupted_trial_for_which_there_is_no_room_now_is_held_for_a_later_run(tmp_path: Path) -> None:
    begun = agenda(tmp_path, config([64, 8])).next()
    assert begun is not None
    crowded = agenda(tmp_path, config([64, 8]), most=16)
    assert [trial.parameters["model.hidden"] for trial in drained(crowded)] == [8]
    assert [(trial.key, reason) for trial, reason in crowded.held] == [(begun.key, "too large")]
    assert next(row for row in TrialStore(tmp_path).trials if row.key == begun.key).state == "begun"
    assert begun.key in {trial.key for trial in drained(agenda(tmp_path, config([64, 8])))}


def test_further_seeds_for_which_there_is_no_room_now_are_held_too(tmp_path: Path) -> None:
    first = agenda(tmp_path, config([64], seeds=2))
    begun = first.next()
    assert begun is not None
    ended(first, tmp_path, begun, 0.7)
    crowded = agenda(tmp_path, config([64], seeds=2), most=16)
    assert drained(crowded) == []
    assert [trial.seed for trial, _ in crowded.held] == [6]


def test_a_configuration_short_of_seeds_is_no_better_one(tmp_path: Path) -> None:
    found = agenda(tmp_path, config([8, 12, 16, 20], seeds=2, patience=1))
    for auroc in (0.6, 0.6, 0.9):
        trial = found.next()
        assert trial is not None
        ended(found, tmp_path, trial, auroc)
    assert found.ending() is None
    trial = found.next()
    assert trial is not None
    ended(found, tmp_path, trial, 0.1)
    assert "without a better one" in (found.ending() or "")


def test_a_trial_that_another_clock_has_sent_back_in_time_is_handed_out_again(tmp_path: Path) -> None:
    found = agenda(tmp_path, config([8], seconds=100))
    begun = found.next()
    assert begun is not None
    found.unstarted(begun)
    again = found.next()
    assert again is not None
    assert (again.key, again.number) == (begun.key, begun.number)


def test_out_of_time_what_has_kept_something_within_its_first_epoch_stays_and_what_was_done_is_finished(
    tmp_path: Path,
) -> None:
    found = agenda(tmp_path, config([8, 16], seconds=100))
    kept, done = found.next(), found.next()
    assert kept is not None
    assert done is not None
    checkpoints = found._ledger.folder(kept) / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / f"epoch-00000-step-00000007-{'0' * 16}.pt").touch()
    record(found, done, 0.7, epoch=2)
    agenda(tmp_path, config([8, 16], seconds=100), spent=101).close()
    assert [row.state for row in TrialStore(tmp_path).trials] == ["begun", "finished"]


def test_out_of_time_what_has_epochs_keeps_its_figures_and_what_never_began_leaves_no_row(tmp_path: Path) -> None:
    found = agenda(tmp_path, config([8, 16], seconds=100))
    begun, pending = found.next(), found.next()
    assert begun is not None
    assert pending is not None
    record(found, begun, 0.7)
    late = agenda(tmp_path, config([8, 16], seconds=100), spent=101)
    late.close()
    row = TrialStore(tmp_path).trials
    assert [(one.key, one.state, one.validation_auroc) for one in row] == [(begun.key, "stopped early", 0.7)]
    assert late.ending() == "tuning.time_budget_s have passed (100)"
