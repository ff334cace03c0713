"""Has a job stop, and waits until it has saved where it is and ended."""

from __future__ import annotations

import time
from typing import Any

from cluster.jobs import server
from cluster.jobs.environment import STOP_WAIT_S
from cluster.jobs.follow import Follower
from pipelines.progress import Progress

GRACE_S = 30
QUEUED_S = 5
"""A job that is queued does not hear it, and is not waited for."""


def stopped(client: Any, address: str, job: str, follower: Follower, progress: Progress) -> Any:
    """Tell a job to stop; return its `JobDetails` when it has ended, or has not in time.

    Raises:
        RaygeneError: the server cannot be asked.
    """
    with server.answering(address, job):
        client.stop_job(job)
    began = time.monotonic()
    with progress.stage("waiting for the job to save and end (s)") as stage:
        while not (details := follower.details()).status.is_terminal():
            limit = QUEUED_S if details.status == "PENDING" else STOP_WAIT_S + GRACE_S
            if time.monotonic() - began > limit:
                break
            time.sleep(1)
            stage.advance()
    return details
