"""Follows a job: waits until it starts, shows its log as it grows, and returns how it ended.

The log is read through a stream that may break or fall silent for good (a proxy, a sleeping laptop): it is then opened
again, and what was shown already is skipped. Where no stream gets through, the whole log is requested instead. A server
that does not answer for ten minutes is given up; the job is not. Costs two requests a second before the job starts (its
status and its log), and afterwards one in every half minute of silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from cluster.jobs import hints, server
from pipelines.errors import ResourceError, one_line
from pipelines.progress import Progress

Answer = TypeVar("Answer")

POLL_S = 1.0
EXPLAIN_AFTER_S = 15.0
"""A job that waits longer than this is explained."""
SILENCE_S = 30.0
"""After so long without a line, the job's status is requested."""
MAX_SILENCES = 10
"""After so many silences the stream is opened again, because it may be dead."""
RETRY_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, *[60.0] * 9)
"""Pauses between requests to a server that does not answer: ten minutes in all."""
FEW_RETRY_DELAYS_S = RETRY_DELAYS_S[:3]
SETTING_UP = "for its runtime environment"


class Follower:
    """Follows one job.

    Args:
        client: Ray's `JobSubmissionClient`.
        address: of the job server.
        job: its submission id.
        progress: shows the waiting, and warnings.
        show: is called with each new piece of the log.
        resources: what the job's own process reserves, amount by Ray's name.
        given_address: as the user gave it, for commands that are shown.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        client: Any,
        address: str,
        job: str,
        progress: Progress,
        show: Callable[[str], None],
        resources: Mapping[str, float],
        given_address: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._address, self._job = client, address, job
        self._progress, self._show, self._resources = progress, show, resources
        self._given_address, self._sleep = given_address, sleep
        self._shown = 0

    def details(self) -> Any:
        """The job's status: Ray's `JobDetails`. Retries for ten minutes while the server does not answer.

        Raises:
            ResourceError: the server does not answer for ten minutes, or refuses the token; the job may still be
                running.
            UsageError: it knows no such job.
        """
        return self._retry(self._details, RETRY_DELAYS_S)

    def log(self) -> str:
        """All of the job's log so far; empty before there is any.

        Raises:
            ResourceError: the server does not give it.
        """
        with server.answering(self._address, self._job):
            return str(self._client.get_job_logs(self._job) or "")

    def follow(self) -> Any:
        """Return the job's `JobDetails` once it has ended.

        Raises:
            RaygeneError: as `details`.
        """
        details = self._wait_until_started()
        breaks = 0
        while not details.status.is_terminal():
            shown = self._shown
            try:
                asyncio.run(self._stream_log())
                breaks = 0
            except (ResourceError, OSError, RuntimeError):
                # A broken stream loses nothing: the rest of the log is requested.
                self._show_rest(quietly=True)
                breaks = 0 if self._shown > shown else min(breaks + 1, len(RETRY_DELAYS_S) - 1)
            details = self.details()
            if not details.status.is_terminal():
                self._sleep(RETRY_DELAYS_S[breaks - 1] if breaks else POLL_S)
        self._show_rest()
        return details

    def _details(self) -> Any:
        with server.answering(self._address, self._job):
            return self._client.get_job_info(self._job)

    def _retry(self, request: Callable[[], Answer], delays: tuple[float, ...]) -> Answer:
        for delay in delays:
            with suppress(server.UnansweredError):
                return request()
            self._sleep(delay)
        try:
            return request()
        except server.UnansweredError as error:
            raise ResourceError(
                f"{self._address}: lost the connection ({error.detail[:120]}); the job may still be running",
                f"do not submit it again, follow it with '{hints.follow(self._job, self._given_address)}'",
            ) from error

    def _wait_until_started(self) -> Any:
        """Wait until the job has left the queue, and explain a long wait."""
        began, is_explained = time.monotonic(), False
        with self._progress.stage("waiting for the job to start", unit="s") as stage:
            while (details := self.details()).status == "PENDING":
                stage.describe(self._waiting_for(details))
                if not is_explained and time.monotonic() - began > EXPLAIN_AFTER_S:
                    is_explained = True
                    self._progress.warn(self._explanation())
                self._sleep(POLL_S)
                stage.advance(POLL_S)
        return details

    def _waiting_for(self, details: Any) -> str:
        """The last line of the log of the runtime environment's setup, else what Ray takes the job to wait for."""
        lines: list[str] = []
        with suppress(ResourceError):
            lines = [line.strip() for line in self.log().splitlines() if line.strip()]
        if lines:
            return one_line(lines[-1].rpartition(" -- ")[2], 100)
        return "for resources or its runtime environment" if "resources" in (details.message or "") else SETTING_UP

    def _explanation(self) -> str:
        nodes = server.node_resources(self._address) if self._resources else None
        lacking = server.missing_resources(self._resources, nodes) if nodes is not None else None
        stop = f"'{hints.stop(self._job, self._given_address)}' gives it up"
        if lacking:
            return f"the job waits: {lacking}; {stop}"
        return (
            "the job still waits, for its runtime environment (packages to install, files to unpack) or for resources "
            f"that other jobs hold; {stop}"
        )

    async def _stream_log(self) -> None:
        """Show the log until its stream ends, or has been silent so long that it may be dead."""
        import aiohttp

        pieces: AsyncIterator[str] = self._client.tail_job_logs(self._job)
        received = silences = 0
        next_piece: asyncio.Future[str | None] | None = None
        try:
            while silences < MAX_SILENCES:
                next_piece = next_piece or asyncio.ensure_future(_next(pieces))
                await asyncio.wait({next_piece}, timeout=SILENCE_S)
                if not next_piece.done():
                    silences += 1
                    if self._details().status.is_terminal():
                        return
                    continue
                if (piece := next_piece.result()) is None:
                    return
                next_piece, silences = None, 0
                # A stream begins at the log's first letter, whatever was shown of it before.
                new = piece[max(self._shown - received, 0) :]
                received += len(piece)
                self._show_new(new)
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        finally:
            if next_piece is not None and not next_piece.done():
                next_piece.cancel()
                await asyncio.wait({next_piece}, timeout=POLL_S)

    def _show_rest(self, *, quietly: bool = False) -> None:
        """Show the part of the log that the stream did not bring; unless `quietly`, warn if it cannot be read."""
        try:
            log = self.log() if quietly else self._retry(self.log, FEW_RETRY_DELAYS_S)
        except ResourceError as error:
            if not quietly:
                again = hints.logs(self._job, self._given_address)
                self._progress.warn(f"the last lines of the log may be missing ({error.problem[:200]}): try '{again}'")
            return
        self._show_new(log[self._shown :])

    def _show_new(self, text: str) -> None:
        if text:
            self._show(text)
            self._shown += len(text)


async def _next(pieces: AsyncIterator[str]) -> str | None:
    return await anext(pieces, None)
