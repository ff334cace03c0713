from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tuning.conftest import agenda
from tuning.agenda import Agenda
from tuning.config import TuningConfig
from tuning.ledger import Ledger
from tuning.trial import Trial


def config(hidden: list[int], **more: Any) -> TuningConfig:
    return TuningConfig.model_validate({"space": {"model.hidden": hidden}, "search": "grid", **more})


def drained(found: Agenda) -> list[Trial]:
    trials = []
    while (trial := found.next()) is not None:
        trials.append(trial)
    return trials


def ended(found: Agenda, output: Path, trial: Trial, auroc: float) -> None:
    from training import journal
    from tuning.ledger import EPOCHS

    ledger = found._ledger
    record = {"epoch": 1, "validation_auroc": auroc, "validation_mcc": 0.1, "trial_seconds": 1.0}
    journal.write(ledger.folder(trial) / EPOCHS, [record])
    found.ended(ledger.end(trial, "finished"))


def test_what_does_not_fit_has_its_row_and_is_not_handed_out(tmp_path: Path) -> None:
    told: list[Trial] = []
    found = agenda(tmp_path, config([8, 128, 16, 256]), told)
    assert [trial.parameters["model.hidden"] for trial in drained(found)] == [8, 16]
    rows = Ledger(tmp_path).trials
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
    refused = next(row for row in Ledger(tmp_path).trials if row.state == "infeasible")
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
    assert sorted(row.number for row in Ledger(tmp_path).trials) == [1, 2, 3, 4, 5, 6]


def test_a_campaign_ends_with_its_number_of_configurations_those_that_do_not_fit_counted(tmp_path: Path) -> None:
    found = agenda(tmp_path, config([8, 128, 16, 32], trials=3))
    assert [trial.parameters["model.hidden"] for trial in drained(found)] == [8, 16]
    assert found.ending() == "tuning.trials 3"


def test_a_campaign_ends_when_nothing_better_has_come_for_a_while(tmp_path: Path) -> None:
    found = agenda(tmp_path, config([8, 12, 16, 20, 24, 28], plateau=2))
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
    given = {"space": {"model.hidden": {"choice": [8, 16]}}, "search": "random", "trials": 10}
    assert len(drained(agenda(tmp_path, TuningConfig.model_validate(given)))) == 2
