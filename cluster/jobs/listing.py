"""Jobs as rows of a table, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

HEADER = ("job", "status", "exit", "began", "seconds", "command")


def rows(jobs: Iterable[Any]) -> list[tuple[object, ...]]:
    """Submitted jobs as rows of `HEADER`, newest first: a table shows its first rows only.

    Args:
        jobs: Ray's `JobDetails`; drivers that nobody submitted are left out.
    """
    newest = sorted(jobs, key=lambda one: one.start_time or 0, reverse=True)
    return [row(one) for one in newest if one.submission_id]


def row(details: Any) -> tuple[object, ...]:
    """A job as a row of `HEADER`."""
    began, ended = details.start_time, details.end_time
    code = details.driver_exit_code
    return (
        details.submission_id or details.job_id,
        str(details.status).lower(),
        "–" if code is None else code,
        datetime.fromtimestamp(began / 1000).isoformat(" ", "seconds") if began else "–",
        round((ended - began) / 1000) if began and ended else "–",
        details.entrypoint.removeprefix("python -m cluster ")[:200],
    )
