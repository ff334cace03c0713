from __future__ import annotations

from tuning import ranking
from tuning.trial import State, Trial


def trial(number: int, auroc: float | None, configuration: int, ended: int | None, state: State = "finished") -> Trial:
    return Trial(number, configuration, str(number), number, {}, state, validation_auroc=auroc, ended=ended)


def test_configurations_count_from_the_best_in_the_order_in_which_they_ended() -> None:
    trials = [trial(1, 0.9, 1, 3), trial(2, 0.8, 2, 1), trial(3, 0.7, 3, 4), trial(4, 0.95, 4, 2)]
    assert ranking.configurations_since_best(trials, "auroc", 1) == 2
    assert ranking.configurations_since_best([], "auroc", 1) == 0


def test_configurations_without_a_metric_are_no_attempts_at_an_improvement() -> None:
    trials = [trial(1, 0.9, 1, 1), trial(2, None, 2, 2, "infeasible"), trial(3, None, 3, 3, "failed")]
    assert ranking.configurations_since_best(trials, "auroc", 1) == 0


def test_a_configuration_is_complete_when_its_last_seed_has_ended() -> None:
    first, second = trial(1, 0.9, 1, 1), trial(2, None, 1, None, "begun")
    assert not ranking.is_complete([first], seeds=2)
    assert not ranking.is_complete([first, second], seeds=2)
    assert ranking.is_complete([first, trial(2, 0.8, 1, 2)], seeds=2)


def test_a_configuration_that_is_never_trained_is_complete_with_one_row() -> None:
    assert ranking.is_complete([trial(1, None, 1, 1, "infeasible")], seeds=3)
    assert ranking.is_complete([trial(1, None, 1, 1, "repeated")], seeds=3)


def test_the_mean_metric_leaves_failed_trials_out() -> None:
    assert ranking.mean_metric([trial(1, 0.5, 1, 1), trial(2, 0.9, 1, 2, "failed")], "auroc") == 0.5
    assert ranking.mean_metric([trial(1, 0.9, 1, 1, "failed")], "auroc") is None
