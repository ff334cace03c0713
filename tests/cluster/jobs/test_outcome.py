from __future__ import annotations

from dataclasses import dataclass

import pytest

from cluster.jobs.outcome import exit_status, reason, sentence, unfinished


@dataclass
class Ended:
    status: str
    driver_exit_code: int | None = None
    message: str | None = None
    error_type: str | None = None
    driver_node_id: str | None = None


@pytest.mark.parametrize(
    ("ended", "status", "told"),
    [
        (Ended("SUCCEEDED", 0), 0, "job j succeeded"),
        (Ended("FAILED", 1), 1, "exit status 1 (a failure told above)"),
        (Ended("FAILED", 2), 2, "exit status 2 (a usage error told above)"),
        (Ended("FAILED", -9), 137, "exit status 137 (ended by signal 9)"),
        (Ended("FAILED", 139), 139, "exit status 139 (ended by signal 11)"),
        (Ended("FAILED", 77), 77, "exit status 77 (a crash)"),
        (Ended("FAILED", 127), 127, "exit status 127 (the node that ran it has no 'python' on the PATH of its Ray"),
        (Ended("STOPPED"), 130, "was stopped; finished work is kept"),
        (
            Ended("FAILED", None, "runtime_env setup failed: no pip"),
            1,
            "did not start: runtime_env setup failed: no pip",
        ),
    ],
)
def test_the_status_is_that_of_the_job_and_is_told(ended: Ended, status: int, told: str) -> None:
    assert exit_status(ended) == status
    assert told in sentence("j", ended)


@pytest.mark.parametrize(
    ("kind", "node", "told"),
    [
        ("JOB_SUPERVISOR_ACTOR_DIED", "n1", "was lost"),
        ("JobErrorType.JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE", "n1", "was lost"),
        ("JOB_SUPERVISOR_ACTOR_START_FAILURE", "n1", "was lost"),
        ("JOB_SUPERVISOR_ACTOR_START_FAILURE", None, "did not start"),
        ("JOB_SUPERVISOR_ACTOR_DIED", None, "did not start"),
        ("RUNTIME_ENV_SETUP_FAILURE", "n1", "did not start"),
        ("JOB_SUPERVISOR_ACTOR_START_TIMEOUT", None, "did not start"),
        ("JOB_ENTRYPOINT_COMMAND_START_ERROR", "n1", "did not start"),
    ],
)
def test_a_job_that_ran_and_was_lost_is_told_apart_from_one_that_did_not_start(
    kind: str, node: str | None, told: str
) -> None:
    ended = Ended("FAILED", None, "Job supervisor actor died: the node died", kind, node)
    found = sentence("j", ended)
    assert exit_status(ended) == 1
    assert f"job j {told}" in found
    assert "the node died" in found
    assert ("the same command goes on" in found) == (told == "was lost")


def test_of_a_long_message_the_line_with_the_error_is_told() -> None:
    text = "runtime_env setup failed:\nTraceback\n  File x\nERROR: No matching distribution found for none==1\n"
    assert reason(Ended("FAILED", None, text)) == "ERROR: No matching distribution found for none==1"
    assert reason(Ended("FAILED")) == "no reason told"


def test_a_queued_job_that_does_not_hear_is_told_apart_from_one_that_is_slow() -> None:
    assert "still queued and runs nothing" in unfinished("j", Ended("PENDING"), None)
    told = unfinished("j", Ended("RUNNING"), "http://head:8265")
    assert "has not ended yet" in told
    assert "'raygene submit status j --address http://head:8265'" in told
