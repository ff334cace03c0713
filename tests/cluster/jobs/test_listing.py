from __future__ import annotations

from dataclasses import dataclass

from cluster.jobs.listing import row as row_of
from cluster.jobs.listing import rows


@dataclass
class Job:
    submission_id: str | None
    start_time: int | None
    end_time: int | None = None
    status: str = "RUNNING"
    driver_exit_code: int | None = None
    job_id: str | None = None
    entrypoint: str = "python -m cluster build /data/experiment.yaml"


def test_the_newest_job_comes_first_and_other_drivers_are_left_out() -> None:
    listed = rows([Job("old", 1_000), Job("new", 3_000), Job(None, 9_000), Job("middle", 2_000), Job("unbegun", None)])
    assert [row[0] for row in listed] == ["new", "middle", "old", "unbegun"]


def test_a_row_has_duration_and_command() -> None:
    assert row_of(Job("j", 1_000, 61_000, "SUCCEEDED", 0))[4:] == (60, "build /data/experiment.yaml")
