from __future__ import annotations

import math

import pytest

from tuning.trials.reports import (
    METRICS,
    EpochReport,
    NotStarted,
    StudyFailed,
    TimedOut,
    TrialFailed,
    TrialReport,
    of_result,
    to_result,
)

REPORTS = [
    EpochReport(3, 0.9, 0.5, is_replay=True),
    NotStarted(),
    TrialFailed("why"),
    StudyFailed("what", "how"),
    TimedOut(2, 60.0),
]


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_comes_back_from_a_result_with_keys_that_ray_tune_adds(report: TrialReport) -> None:
    assert of_result(to_result(report) | {"done": True, "trial_id": "one", "time_total_s": 1.5}) == report


@pytest.mark.parametrize("report", REPORTS)
def test_each_report_has_the_metrics_without_which_ray_tune_ends_a_study(report: TrialReport) -> None:
    result = to_result(report)
    of_task = METRICS[:2]
    assert all(math.isnan(result[name]) != (isinstance(report, EpochReport) and name in of_task) for name in METRICS)


def test_a_report_of_structure_has_its_own_metrics() -> None:
    report = EpochReport(2, validation_exon_f1=0.7, validation_cds_f1=0.9)
    result = to_result(report)
    assert (result["validation_exon_f1"], result["validation_cds_f1"]) == (0.7, 0.9)
    assert of_result(result) == report


def test_a_result_of_ray_tune_alone_has_no_report() -> None:
    assert of_result({}) is None
    assert of_result({"done": True, "trial_id": "one"}) is None
