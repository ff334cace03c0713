"""How a job ended, as an exit status and a sentence.

The job server knows the true status; Ray's own command exits with 1 whatever the job's status was.
"""

from __future__ import annotations

from typing import Protocol

from cluster.jobs import hints
from pipelines.errors import one_line

STOPPED = 130
NO_PYTHON = "the node that ran it has no 'python' on the PATH of its Ray: start Ray there from raygene's environment"
NEVER_STARTED = {
    "RUNTIME_ENV_SETUP_FAILURE",
    "JOB_SUPERVISOR_ACTOR_START_TIMEOUT",
    "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE",
    "JOB_ENTRYPOINT_COMMAND_START_ERROR",
}
"""Ray's `JobErrorType`s of jobs whose process never started."""


class Details(Protocol):
    """The fields of Ray's `JobDetails` that are read here."""

    @property
    def status(self) -> object: ...
    @property
    def message(self) -> str | None: ...
    @property
    def driver_exit_code(self) -> int | None: ...
    @property
    def error_type(self) -> object: ...
    @property
    def driver_node_id(self) -> str | None: ...


def exit_status(details: Details) -> int:
    """The exit status for a job that has ended.

    It is the job's own; 128 plus the number of the signal that ended it; 130 if it was stopped; 1 if it never started
    or was lost.
    """
    status, code = str(details.status), details.driver_exit_code
    if status == "SUCCEEDED":
        return 0
    if status == "STOPPED":
        return STOPPED
    if not code:
        return 1
    return 128 - code if code < 0 else code


def sentence(job: str, details: Details) -> str:
    """A sentence on how a job ended."""
    status, code = str(details.status), details.driver_exit_code
    if status == "SUCCEEDED":
        return f"job {job} succeeded"
    if status == "STOPPED":
        return f"job {job} was stopped; finished work is kept where the verb keeps it, and the same command resumes"
    if not code and was_lost(details):
        return (
            f"job {job} was lost with the node or process that watched it: {reason(details)}; "
            "finished work is kept where the verb keeps it, and the same command resumes"
        )
    if not code:
        return f"job {job} did not start: {reason(details)}"
    exit_code = exit_status(details)
    meanings = {1: "a failure shown above", 2: "a usage error shown above", 127: NO_PYTHON, 130: "interrupted"}
    meaning = meanings.get(code, f"ended by signal {exit_code - 128}" if exit_code > 128 else "a crash")
    return f"job {job} failed with exit status {exit_code} ({meaning})"


def was_lost(details: Details) -> bool:
    """Whether a job started and then ended without an exit status of its own: Ray sets its node once it has started."""
    return bool(details.driver_node_id) and str(details.error_type).rpartition(".")[2] not in NEVER_STARTED


def unfinished(job: str, details: Details, address: str | None) -> str:
    """A sentence on a job that was asked to stop and has not ended.

    Args:
        job: its id.
        details: its status.
        address: as given with `--address`.
    """
    if str(details.status) == "PENDING":
        return (
            f"job {job} is still queued and runs nothing; it ends when it would start, or when Ray gives it up after "
            "15 minutes"
        )
    return f"job {job} was asked to stop and has not ended yet; check it with '{hints.status(job, address)}'"


def reason(details: Details) -> str:
    """The most informative line of a job's message: the last one with an error, else the first."""
    lines = [line.strip() for line in (details.message or "no reason given").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return one_line(errors[-1] if errors else lines[0], 300)
