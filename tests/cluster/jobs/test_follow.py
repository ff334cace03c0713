"""Follows a scripted job, so that every break of the stream can be tested, unlike on a real cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus

from cluster.jobs import follow
from cluster.jobs.follow import RETRY_DELAYS_S, Follower
from pipelines.errors import ResourceError
from pipelines.progress import Silent

SILENCE = "the stream brings nothing any more"
GONE = requests.ConnectionError("gone")


@dataclass
class Details:
    status: JobStatus
    driver_exit_code: int | None = None
    message: str | None = None


@dataclass
class ScriptedClient:
    """A client with an answer for each request and a stream for each opening; the last answer is given again.

    An answer or a piece of a stream that is an exception is raised.
    """

    statuses: list[JobStatus | Exception]
    streams: list[list[str | Exception]] = field(default_factory=list)
    logs: list[str | Exception] = field(default_factory=lambda: [""])
    opened: int = 0

    def get_job_info(self, job: str) -> Details:
        return Details(_next_answer(self.statuses))

    def get_job_logs(self, job: str) -> Any:
        return _next_answer(self.logs)

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        self.opened += 1
        for piece in self.streams.pop(0) if self.streams else []:
            if isinstance(piece, Exception):
                raise piece
            if piece == SILENCE:
                await asyncio.sleep(60)
            yield piece


def _next_answer(answers: list[Any]) -> Any:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


def followed(client: ScriptedClient, slept: list[float] | None = None) -> tuple[Details, str, Silent]:
    shown: list[str] = []
    progress = Silent()
    sleep = (slept if slept is not None else []).append
    details = Follower(client, "http://h:1", "j", progress, shown.append, {}, "http://h:1", sleep).follow()
    return details, "".join(shown), progress


PENDING, RUNNING, DONE = JobStatus.PENDING, JobStatus.RUNNING, JobStatus.SUCCEEDED


def test_the_whole_log_is_shown_once() -> None:
    details, shown, _ = followed(ScriptedClient([PENDING, RUNNING, DONE], [["a\n", "b\n"]], ["", "a\nb\n"]))
    assert details.status == DONE
    assert shown == "a\nb\n"


def test_after_a_break_nothing_is_shown_twice_and_nothing_is_missing() -> None:
    streams: list[list[str | Exception]] = [["a\n", "b"], ["a\nb\nc", RuntimeError("broken")], ["a\n", "b\ncd\n"]]
    logs: list[str | Exception] = ["a\nb\nc", "a\nb\ncd\ne\n"]
    _, shown, _ = followed(ScriptedClient([RUNNING, RUNNING, RUNNING, DONE], streams, logs))
    assert shown == "a\nb\ncd\ne\n"


def test_lines_that_the_stream_did_not_bring_are_shown_at_the_end() -> None:
    _, shown, _ = followed(ScriptedClient([RUNNING, DONE], [["a\n"]], ["a\nlast\n"]))
    assert shown == "a\nlast\n"


def test_where_no_stream_gets_through_the_log_is_requested() -> None:
    broken: list[list[str | Exception]] = [[ConnectionError("refused")] for _ in range(3)]
    _, shown, _ = followed(
        ScriptedClient([RUNNING, RUNNING, RUNNING, DONE], broken, ["a\n", "a\nb\n", "a\nb\n", "a\nb\nc\n"])
    )
    assert shown == "a\nb\nc\n"


def test_a_silent_stream_does_not_hide_that_the_job_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SILENCE_S", 0.01)
    details, shown, _ = followed(ScriptedClient([RUNNING, RUNNING, RUNNING, DONE], [["a\n", SILENCE]], ["a\nb\n"]))
    assert details.status == DONE
    assert shown == "a\nb\n"


def test_a_stream_that_stays_silent_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SILENCE_S", 0.01)
    monkeypatch.setattr(follow, "MAX_SILENCES", 2)
    client = ScriptedClient([RUNNING] * 4 + [DONE], [["a\n", SILENCE], ["a\nb\n"]], ["a\nb\n"])
    _, shown, _ = followed(client)
    assert (client.opened, shown) == (2, "a\nb\n")


def test_a_quiet_job_whose_stream_is_closed_again_and_again_is_not_given_up() -> None:
    slept: list[float] = []
    details, _, _ = followed(ScriptedClient([RUNNING] * 200 + [DONE]), slept)
    assert details.status == DONE
    assert set(slept) == {follow.POLL_S}


def test_requests_that_fail_now_and_then_end_nothing() -> None:
    answers: list[JobStatus | Exception] = [RUNNING, *[GONE, GONE, RUNNING] * 30, DONE]
    assert followed(ScriptedClient(answers))[0].status == DONE


@pytest.mark.parametrize("first", [[], [PENDING], [RUNNING]])
def test_a_server_that_is_gone_for_ten_minutes_is_an_error_and_the_job_not_given_up(first: list[JobStatus]) -> None:
    slept: list[float] = []
    with pytest.raises(ResourceError) as lost:
        followed(ScriptedClient([*first, GONE]), slept)
    assert "lost the connection" in lost.value.problem
    assert "the job may still be running" in lost.value.problem
    assert "do not submit it again" in lost.value.fix
    assert "'raygene submit logs j --follow --address http://h:1'" in lost.value.fix
    assert slept[-len(RETRY_DELAYS_S) :] == list(RETRY_DELAYS_S)
    assert 480 < sum(RETRY_DELAYS_S) < 660


def test_a_failed_request_while_the_job_waits_ends_nothing() -> None:
    assert followed(ScriptedClient([PENDING, GONE, PENDING, GONE, GONE, RUNNING, DONE]))[0].status == DONE


def test_a_refused_token_is_an_error_at_once() -> None:
    slept: list[float] = []
    with pytest.raises(ResourceError, match="refuses the token"):
        followed(ScriptedClient([RUNNING, AuthenticationError("Invalid token")]), slept)
    assert slept == []


def test_last_lines_that_cannot_be_read_are_a_warning() -> None:
    failed = RuntimeError("Request failed with status code 500: no agent")
    details, _, progress = followed(ScriptedClient([RUNNING, DONE], [["a\n"]], [failed]))
    assert details.status == DONE
    (warning,) = progress.warnings
    assert "the last lines of the log may be missing" in warning
    assert "no agent" in warning
    assert "raygene submit logs j" in warning


def test_a_job_that_stays_queued_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "EXPLAIN_AFTER_S", -1.0)
    _, _, progress = followed(ScriptedClient([PENDING, PENDING, DONE]))
    assert len(progress.warnings) == 1
    assert "still waits, for its runtime environment" in progress.warnings[0]
    assert "'raygene submit stop j --address http://h:1' gives it up" in progress.warnings[0]
