"""How a job ended, as an exit status and a sentence: the job server tells the true status, Ray's own command only 1."""

from __future__ import annotations

from typing import Protocol

from cluster.jobs import hints

STOPPED = 130
NO_PYTHON = "the node that ran it has no 'python' on the PATH of its Ray: start Ray there from raygene's environment"
NEVER_BEGAN = {
    "RUNTIME_ENV_SETUP_FAILURE",
    "JOB_SUPERVISOR_ACTOR_START_TIMEOUT",
    "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE",
    "JOB_ENTRYPOINT_COMMAND_START_ERROR",
}
"""Ray's `JobErrorType`s of jobs whose process was never there."""


class Details(Protocol):
    """What of Ray's `JobDetails` is read here."""

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
    """The status to leave with: the job's own; 128 and the signal that ended it; 130 if it was stopped; 1 if it never began or was lost."""
    status, code = str(details.status), details.driver_exit_code
    if status == "SUCCEEDED":
        return 0
    if status == "STOPPED":
        return STOPPED
    if not code:
        return 1
    return 128 - code if code < 0 else code


def sentence(job: str, details: Details) -> str:
    """What to say of a job that has ended."""
    status, code = str(details.status), details.driver_exit_code
    if status == "SUCCEEDED":
        return f"job {job} succeeded"
    if status == "STOPPED":
        return f"job {job} was stopped; finished work is kept where the verb keeps it, and the same command goes on"
    if not code and lost(details):
        return (
            f"job {job} was lost with the node or process that watched it: {reason(details)}; "
            "finished work is kept where the verb keeps it, and the same command goes on"
        )
    if not code:
        return f"job {job} did not start: {reason(details)}"
    meaning = {1: "a failure told above", 2: "a usage error told above", 127: NO_PYTHON, 130: "interrupted"}
    told = meaning.get(
        code, f"ended by signal {exit_status(details) - 128}" if exit_status(details) > 128 else "a crash"
    )
    return f"job {job} failed with exit status {exit_status(details)} ({told})"


def lost(details: Details) -> bool:
    """Whether a job had begun and ended without a status of its own: Ray tells a node once its process starts."""
    return bool(details.driver_node_id) and str(details.error_type).rpartition(".")[2] not in NEVER_BEGAN


def unfinished(job: str, details: Details, address: str | None) -> str:
    """What to say of a job that was told to stop and has not ended.

    Args:
        job: its id.
        details: how it does.
        address: as given by `--address`.
    """
    if str(details.status) == "PENDING":
        return f"job {job} is still queued and runs nothing; it ends as soon as it would begin, or when Ray gives it up after 15 minutes"
    return f"job {job} was told to stop and has not ended yet; ask again with '{hints.status(job, address)}'"


def reason(details: Details) -> str:
    """The line of a job's message that says most: the last one that tells an error, else the first."""
    lines = [line.strip() for line in (details.message or "no reason told").splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower()]
    return (telling[-1] if telling else lines[0])[:300]
