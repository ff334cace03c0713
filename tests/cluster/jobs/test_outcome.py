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
    ("ended", "status", "expected"),
    [
        (Ended("SUCCEEDED", 0), 0, "job j succeeded"),
        (Ended("FAILED", 1), 1, "exit status 1 (a failure shown above)"),
        (Ended("FAILED", 2), 2, "exit status 2 (a usage error shown above)"),
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
def test_the_exit_status_is_the_jobs_own_and_the_sentence_says_so(ended: Ended, status: int, expected: str) -> None:
    assert exit_status(ended) == status
    assert expected in sentence("j", ended)


@pytest.mark.parametrize(
    ("kind", "node", "expected"),
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
def test_a_lost_job_is_distinguished_from_one_that_did_not_start(kind: str, node: str | None, expected: str) -> None:
    ended = Ended("FAILED", None, "Job supervisor actor died: the node died", kind, node)
    shown = sentence("j", ended)
    assert exit_status(ended) == 1
    assert f"job j {expected}" in shown
    assert "the node died" in shown
    assert ("the same command resumes" in shown) == (expected == "was lost")


def test_of_a_long_message_the_line_with_the_error_is_the_reason() -> None:
    text = "runtime_env setup failed:\nTraceback\n  File x\nERROR: No matching distribution found for none==1\n"
    assert reason(Ended("FAILED", None, text)) == "ERROR: No matching distribution found for none==1"
    assert reason(Ended("FAILED")) == "no reason given"


def test_a_queued_job_is_distinguished_from_one_that_is_slow_to_stop() -> None:
    assert "still queued and runs nothing" in unfinished("j", Ended("PENDING"), None)
    shown = unfinished("j", Ended("RUNNING"), "http://head:8265")
    assert "has not ended yet" in shown
    assert "'raygene submit status j --address http://head:8265'" in shown
