from __future__ import annotations

from dataclasses import dataclass

from cluster.jobs.listing import row, rows


@dataclass
class Job:
    submission_id: str | None
    start_time: int | None
    end_time: int | None = None
    status: str = "RUNNING"
    driver_exit_code: int | None = None
    job_id: str | None = None
    entrypoint: str = "python -m cluster build /data/experiment.yaml"


def test_the_newest_job_comes_first_and_drivers_that_nobody_submitted_are_left_out() -> None:
    found = rows([Job("old", 1_000), Job("new", 3_000), Job(None, 9_000), Job("middle", 2_000), Job("unbegun", None)])
    assert [one[0] for one in found] == ["new", "middle", "old", "unbegun"]


def test_a_row_tells_how_long_and_what() -> None:
    assert row(Job("j", 1_000, 61_000, "SUCCEEDED", 0))[4:] == (60, "build /data/experiment.yaml")
