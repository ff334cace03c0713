from __future__ import annotations

import math

import pytest

from tuning.trial import Trial

TRIAL = Trial(number=1, configuration=1, key="k", seed=0, parameters={"model.hidden": 8})


def record(epoch: int, auroc: float, **more: float) -> dict[str, float]:
    return {"epoch": epoch, "validation_auroc": auroc, "validation_mcc": auroc / 2, "trial_seconds": 1.25, **more}


def test_a_trial_has_the_metrics_of_its_best_epoch_and_the_time_and_memory_of_all() -> None:
    records = [
        record(1, 0.7, peak_memory_bytes=30),
        record(2, 0.9, train_auroc=0.95, train_mcc=0.6, peak_memory_bytes=50),
        record(3, 0.9, peak_memory_bytes=40),
    ]
    trial = TRIAL.with_epochs(records)
    assert (trial.epochs, trial.best_epoch, trial.seconds, trial.memory_measured) == (3, 2, 3.75, 50)
    assert trial.value("auroc") == 0.9
    assert trial.gap("auroc") == pytest.approx(0.05)
    assert trial.gap("mcc") == pytest.approx(0.15)


def test_a_metric_that_is_not_a_number_is_no_metric() -> None:
    trial = TRIAL.with_epochs([record(1, 0.9) | {"validation_mcc": math.nan, "train_mcc": 0.5}])
    assert trial.value("mcc") is None
    assert trial.gap("mcc") is None


def test_a_trial_without_epochs_is_unchanged() -> None:
    assert TRIAL.with_epochs([]) is TRIAL


def test_a_row_comes_back_from_json_also_with_earlier_and_unknown_columns() -> None:
    row = TRIAL.to_json()
    assert Trial.of_json(row) == TRIAL
    del row["retain_memory"]
    trial = Trial.of_json(row | {"roomy": False, "parameters": {"training.batch": 8}, "of_a_later_version": 1})
    assert trial.retain_memory is False
    assert trial.parameters == {"training.global_batch_size": 8}
