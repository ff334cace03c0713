"""Stops a job, and waits until it has saved its work and ended."""

from __future__ import annotations

import time
from typing import Any

from cluster.jobs import server
from cluster.jobs.environment import STOP_WAIT_S
from cluster.jobs.follow import Follower
from pipelines.progress import Progress

GRACE_S = 30
"""Seconds beyond `STOP_WAIT_S`, after which Ray kills the job, until it must have ended."""
QUEUED_WAIT_S = 5
"""A queued job does not receive the request until it would start, so that waiting longer is of no use."""


def stop_job(client: Any, address: str, job: str, follower: Follower, progress: Progress) -> Any:
    """Ask a job to stop; return its `JobDetails` when it has ended, or when it has not in time.

    Args:
        client: Ray's client of the job server.
        address: of the job server.
        job: its id.
        follower: of the job.
        progress: shows the waiting.

    Raises:
        RaygeneError: the server does not answer.
    """
    with server.answering(address, job):
        client.stop_job(job)
    began = time.monotonic()
    with progress.stage("waiting for the job to save and end", unit="s") as stage:
        while not (details := follower.details()).status.is_terminal():
            limit = QUEUED_WAIT_S if details.status == "PENDING" else STOP_WAIT_S + GRACE_S
            if time.monotonic() - began > limit:
                break
            time.sleep(1)
            stage.advance()
    return details
