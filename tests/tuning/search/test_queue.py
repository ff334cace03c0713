from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tuning.conftest import make_queue
from training.observability import journal
from tuning.config import TuningConfig
from tuning.search.queue import TrialQueue
from tuning.trial import Trial
from tuning.trials.store import EPOCHS, TrialStore


def config(hidden: list[int], **more: Any) -> TuningConfig:
    return TuningConfig.model_validate({"space": {"model.hidden": hidden}, "search": "grid", **more})


def drain(queue: TrialQueue) -> list[Trial]:
    trials = []
    while (trial := queue.next()) is not None:
        trials.append(trial)
    return trials


def write_epoch(queue: TrialQueue, trial: Trial, auroc: float, epoch: int = 1) -> None:
    record = {"epoch": epoch, "validation_auroc": auroc, "validation_mcc": 0.1, "trial_seconds": 1.0}
    journal.write(queue._store.folder(trial) / EPOCHS, [record])


def finish(queue: TrialQueue, trial: Trial, auroc: float) -> None:
    write_epoch(queue, trial, auroc)
    queue.report_end(queue._store.end(trial, "finished"))


def test_a_configuration_that_does_not_fit_has_a_row_and_is_not_handed_out(tmp_path: Path) -> None:
    ended: list[Trial] = []
    queue = make_queue(tmp_path, config([8, 128, 16, 256]), ended)
    assert [trial.parameters["model.hidden"] for trial in drain(queue)] == [8, 16]
    rows = TrialStore(tmp_path).trials
    assert [(row.parameters["model.hidden"], row.state) for row in rows] == [
        (8, "begun"),
        (128, "infeasible"),
        (16, "begun"),
        (256, "infeasible"),
    ]
    assert [row.memory_predicted for row in ended] == [1280, 2560]
    assert all(row.reason == "too large" for row in ended)


def test_incompatible_values_have_a_row_with_the_reason(tmp_path: Path) -> None:
    space = {"model.kind": ["transformer"], "model.hidden": [8, 12]}
    queue = make_queue(tmp_path, TuningConfig.model_validate({"space": space, "search": "grid"}))
    assert [trial.parameters["model.hidden"] for trial in drain(queue)] == [8]
    refused = next(row for row in TrialStore(tmp_path).trials if row.state == "infeasible")
    assert "hidden 12 is not a multiple of 8" in refused.reason
    assert refused.memory_predicted is None


def test_each_configuration_is_trained_with_each_seed(tmp_path: Path) -> None:
    trials = drain(make_queue(tmp_path, config([8, 16], seeds=3)))
    assert [(trial.configuration, trial.seed) for trial in trials] == [(1, 5), (1, 6), (1, 7), (2, 5), (2, 6), (2, 7)]
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5, 6]
    assert len({trial.key for trial in trials}) == 6


def test_after_a_kill_interrupted_trials_come_first_and_ended_ones_never(tmp_path: Path) -> None:
    first = make_queue(tmp_path, config([8, 16, 32], seeds=2))
    begun = [first.next() for _ in range(3)]
    assert begun[0] is not None
    finish(first, begun[0], 0.7)
    resumed = drain(make_queue(tmp_path, config([8, 16, 32], seeds=2)))
    assert [(trial.configuration, trial.seed) for trial in resumed] == [(1, 6), (2, 5), (2, 6), (3, 5), (3, 6)]
    assert sorted(row.number for row in TrialStore(tmp_path).trials) == [1, 2, 3, 4, 5, 6]


def test_a_study_ends_at_its_number_of_configurations_including_those_that_do_not_fit(tmp_path: Path) -> None:
    queue = make_queue(tmp_path, config([8, 128, 16, 32], configurations=3))
    assert [trial.parameters["model.hidden"] for trial in drain(queue)] == [8, 16]
    assert queue.end_reason() == "tuning.configurations 3"


def test_a_study_ends_after_a_while_without_an_improvement(tmp_path: Path) -> None:
    queue = make_queue(tmp_path, config([8, 12, 16, 20, 24, 28], patience=2))
    for auroc in (0.6, 0.8, 0.7, 0.75):
        trial = queue.next()
        assert trial is not None
        finish(queue, trial, auroc)
    assert queue.next() is None
    assert "2 configurations without an improvement" in (queue.end_reason() or "")


def test_a_study_out_of_time_hands_out_nothing_and_earlier_runs_count(tmp_path: Path) -> None:
    assert make_queue(tmp_path, config([8], time_budget_s=100), spent=99).next() is not None
    late = make_queue(tmp_path, config([8], time_budget_s=100), spent=101)
    assert late.next() is None
    assert late.is_out_of_time()


def test_random_draws_end_when_a_small_space_is_exhausted(tmp_path: Path) -> None:
    values = {"space": {"model.hidden": {"choice": [8, 16]}}, "search": "random", "configurations": 10}
    assert len(drain(make_queue(tmp_path, TuningConfig.model_validate(values)))) == 2


def test_a_search_that_repeats_itself_continues_with_the_rest_of_its_space(tmp_path: Path) -> None:
    sizes = [4, 8, 12, 16]
    space = {"model.embedding": {"choice": sizes}, "model.hidden": {"choice": sizes}}
    queue = make_queue(tmp_path, TuningConfig.model_validate({"space": space, "configurations": 20}))
    while (trial := queue.next()) is not None:
        # Higher at one corner, so that the estimator narrows down.
        finish(queue, trial, 0.5 + sum(trial.parameters.values()) / 100)
    rows = TrialStore(tmp_path).trials
    assert len({str(row.parameters) for row in rows}) == len(rows) == 16
    assert queue.end_reason() == "the space is exhausted, 16 configurations"


def test_random_draws_of_a_long_study_continue_after_a_kill(tmp_path: Path) -> None:
    values = {"space": {"training.learning_rate": {"uniform": [0.001, 0.1]}}, "search": "random", "configurations": 70}
    config = TuningConfig.model_validate(values)
    first = make_queue(tmp_path, config)
    for _ in range(60):
        trial = first.next()
        assert trial is not None
        finish(first, trial, 0.5)
    assert len(drain(make_queue(tmp_path, config))) == 10
    assert len({row.parameters["training.learning_rate"] for row in TrialStore(tmp_path).trials}) == 70


def test_an_interrupted_trial_that_does_not_fit_now_is_deferred_to_a_later_run(tmp_path: Path) -> None:
    begun = make_queue(tmp_path, config([64, 8])).next()
    assert begun is not None
    crowded = make_queue(tmp_path, config([64, 8]), max_hidden=16)
    assert [trial.parameters["model.hidden"] for trial in drain(crowded)] == [8]
    assert [(trial.key, reason) for trial, reason in crowded.deferred] == [(begun.key, "too large")]
    assert next(row for row in TrialStore(tmp_path).trials if row.key == begun.key).state == "begun"
    assert begun.key in {trial.key for trial in drain(make_queue(tmp_path, config([64, 8])))}


def test_missing_seeds_that_do_not_fit_now_are_deferred_too(tmp_path: Path) -> None:
    first = make_queue(tmp_path, config([64], seeds=2))
    begun = first.next()
    assert begun is not None
    finish(first, begun, 0.7)
    crowded = make_queue(tmp_path, config([64], seeds=2), max_hidden=16)
    assert drain(crowded) == []
    assert [trial.seed for trial, _ in crowded.deferred] == [6]


def test_a_configuration_with_missing_seeds_is_not_an_improvement(tmp_path: Path) -> None:
    queue = make_queue(tmp_path, config([8, 12, 16, 20], seeds=2, patience=1))
    for auroc in (0.6, 0.6, 0.9):
        trial = queue.next()
        assert trial is not None
        finish(queue, trial, auroc)
    assert queue.end_reason() is None
    trial = queue.next()
    assert trial is not None
    finish(queue, trial, 0.1)
    assert "without an improvement" in (queue.end_reason() or "")


def test_a_trial_that_another_clock_returned_too_early_is_handed_out_again(tmp_path: Path) -> None:
    queue = make_queue(tmp_path, config([8], time_budget_s=100))
    begun = queue.next()
    assert begun is not None
    queue.return_unstarted(begun)
    returned = queue.next()
    assert returned is not None
    assert (returned.key, returned.number) == (begun.key, begun.number)


def test_out_of_time_a_checkpoint_within_the_first_epoch_stays_and_a_complete_trial_is_finished(
    tmp_path: Path,
) -> None:
    queue = make_queue(tmp_path, config([8, 16], time_budget_s=100))
    interrupted, complete = queue.next(), queue.next()
    assert interrupted is not None
    assert complete is not None
    checkpoints = queue._store.folder(interrupted) / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / f"epoch-00000-step-00000007-{'0' * 16}.pt").touch()
    write_epoch(queue, complete, 0.7, epoch=2)
    make_queue(tmp_path, config([8, 16], time_budget_s=100), spent=101).close()
    assert [row.state for row in TrialStore(tmp_path).trials] == ["begun", "finished"]


def test_out_of_time_a_trial_with_epochs_keeps_its_metrics_and_one_without_leaves_no_row(tmp_path: Path) -> None:
    queue = make_queue(tmp_path, config([8, 16], time_budget_s=100))
    begun, pending = queue.next(), queue.next()
    assert begun is not None
    assert pending is not None
    write_epoch(queue, begun, 0.7)
    late = make_queue(tmp_path, config([8, 16], time_budget_s=100), spent=101)
    late.close()
    rows = TrialStore(tmp_path).trials
    assert [(row.key, row.state, row.validation_auroc) for row in rows] == [(begun.key, "stopped early", 0.7)]
    assert late.end_reason() == "tuning.time_budget_s is used up (100)"
