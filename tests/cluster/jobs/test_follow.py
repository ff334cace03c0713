"""Against a job that is played from a script: every break of the stream can be tried, as on no real cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from ray.job_submission import JobStatus

from cluster.jobs import follow
from cluster.jobs.follow import Follower
from pipelines.errors import ResourceError
from pipelines.progress import Silent


@dataclass
class Details:
    status: JobStatus
    driver_exit_code: int | None = None
    message: str | None = None


class Played:
    """A job server's client: a status at each question, a stream at each opening; a stream may break."""

    def __init__(self, statuses: list[JobStatus], streams: list[list[str | Exception]], log: str) -> None:
        self._statuses, self._streams, self._log = statuses, streams, log

    def get_job_info(self, job: str) -> Details:
        return Details(self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0])

    def get_job_logs(self, job: str) -> str:
        return self._log

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        for piece in self._streams.pop(0) if self._streams else []:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "POLL_S", 0.0)


def followed(played: Played) -> tuple[Details, str, Silent]:
    shown: list[str] = []
    progress = Silent()
    details = Follower(played, "http://h:1", "j", progress, shown.append, {}).follow()
    return details, "".join(shown), progress


RUNNING, DONE = JobStatus.RUNNING, JobStatus.SUCCEEDED


def test_the_whole_log_is_shown_once() -> None:
    details, shown, _ = followed(Played([JobStatus.PENDING, RUNNING, DONE], [["a\n", "b\n"]], "a\nb\n"))
    assert details.status == DONE
    assert shown == "a\nb\n"


def test_after_a_break_nothing_is_shown_twice_and_nothing_is_missing() -> None:
    streams: list[list[str | Exception]] = [["a\n", "b"], ["a\nb\nc", RuntimeError("broken")], ["a\n", "b\ncd\n"]]
    _, shown, _ = followed(Played([RUNNING, RUNNING, RUNNING, DONE], streams, "a\nb\ncd\ne\n"))
    assert shown == "a\nb\ncd\ne\n"


def test_what_the_stream_did_not_bring_is_shown_at_the_end() -> None:
    _, shown, _ = followed(Played([RUNNING, DONE], [["a\n"]], "a\nlast\n"))
    assert shown == "a\nlast\n"


def test_a_server_that_is_gone_for_good_is_told_and_the_job_not_given_up() -> None:
    streams: list[list[str | Exception]] = [[ConnectionError("gone")]] * (follow.TRIES + 2)
    with pytest.raises(ResourceError, match=r"lost the connection \(gone\); the job may go on: follow it again"):
        followed(Played([RUNNING], streams, ""))


def test_a_job_that_stays_queued_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PATIENCE_S", -1.0)
    _, _, progress = followed(Played([JobStatus.PENDING, JobStatus.PENDING, DONE], [], ""))
    assert len(progress.warnings) == 1
    assert "still waits, for its runtime environment" in progress.warnings[0]
    assert "'raygene submit stop j' gives it up" in progress.warnings[0]
