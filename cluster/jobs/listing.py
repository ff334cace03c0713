"""Jobs as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pipelines.errors import one_line

HEADER = ("job", "status", "exit", "began", "seconds", "command")
NONE = "–"


def rows(jobs: Iterable[Any]) -> list[tuple[object, ...]]:
    """Submitted jobs as rows of `HEADER`, the newest first, because a table shows only its first rows.

    Args:
        jobs: Ray's `JobDetails`. Drivers that were not submitted as jobs are left out.
    """
    newest_first = sorted(jobs, key=lambda job: job.start_time or 0, reverse=True)
    return [row(job) for job in newest_first if job.submission_id]


def row(details: Any) -> tuple[object, ...]:
    """A job (Ray's `JobDetails`) as a row of `HEADER`."""
    began_ms, ended_ms = details.start_time, details.end_time
    exit_code = details.driver_exit_code
    return (
        details.submission_id or details.job_id,
        str(details.status).lower(),
        NONE if exit_code is None else exit_code,
        datetime.fromtimestamp(began_ms / 1000).isoformat(" ", "seconds") if began_ms else NONE,
        round((ended_ms - began_ms) / 1000) if began_ms and ended_ms else NONE,
        one_line(details.entrypoint.removeprefix("python -m cluster "), 200),
    )
