"""Follows a job: waits until it begins, passes its log on as it grows, and comes back with how it ended.

The log is read through a stream that may break or fall silent for good (a proxy, a sleeping laptop): it is opened again and
what was shown is passed over; where streams do not get through, the log is asked for. Only a server that answers nothing for
ten minutes is given up, never the job. Costs two requests a second before the job begins
(how it does, and its log), and one in half a minute of silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from cluster.jobs import hints, server
from pipelines.errors import ResourceError
from pipelines.progress import Progress

Answer = TypeVar("Answer")

POLL_S = 1.0
PATIENCE_S = 15.0
ASK_S = 30.0
"""After so long without a line, the server is asked how the job does."""
ASKS = 10
"""After so many such questions, the stream is opened again: it may be one that brings nothing any more."""
DELAYS_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, *[60.0] * 9)
"""Pauses between questions to a server that does not answer: ten minutes in all."""
FEW = DELAYS_S[:3]
SETTING_UP = "for its runtime environment"


class Follower:
    """Follows one job.

    Args:
        client: Ray's `JobSubmissionClient`.
        address: of the job server.
        job: its submission id.
        progress: is told of waiting.
        show: is given the log, piece by piece.
        wanted: resources that the job's own process asks for.
        given: the address as the user gave it, for commands that are told.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        client: Any,
        address: str,
        job: str,
        progress: Progress,
        show: Callable[[str], None],
        wanted: Mapping[str, float],
        given: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._address, self._job = client, address, job
        self._progress, self._show, self._wanted = progress, show, wanted
        self._given, self._sleep = given, sleep
        self._shown = 0

    def details(self) -> Any:
        """How the job does: Ray's `JobDetails`; asked again for ten minutes while the server does not answer.

        Raises:
            ResourceError: the server is gone for good, or lets us in no more; the job may go on.
            UsageError: it knows no such job.
        """
        return self._patiently(self._details, DELAYS_S)

    def log(self) -> str:
        """All of the job's log so far; empty before there is any.

        Raises:
            ResourceError: it cannot be had.
        """
        with server.answering(self._address, self._job):
            return str(self._client.get_job_logs(self._job) or "")

    def follow(self) -> Any:
        """Return the job's `JobDetails` once it has ended.

        Raises:
            RaygeneError: as `details`.
        """
        details = self._begun()
        broken = 0
        while not details.status.is_terminal():
            shown = self._shown
            try:
                asyncio.run(self._tail())
                broken = 0
            except (ResourceError, OSError, RuntimeError):
                # A stream alone that breaks is no loss: what it would have brought is asked for.
                self._rest(quietly=True)
                broken = 0 if self._shown > shown else min(broken + 1, len(DELAYS_S) - 1)
            details = self.details()
            if not details.status.is_terminal():
                self._sleep(DELAYS_S[broken - 1] if broken else POLL_S)
        self._rest()
        return details

    def _details(self) -> Any:
        with server.answering(self._address, self._job):
            return self._client.get_job_info(self._job)

    def _patiently(self, ask: Callable[[], Answer], delays: tuple[float, ...]) -> Answer:
        for delay in delays:
            with suppress(server.UnansweredError):
                return ask()
            self._sleep(delay)
        try:
            return ask()
        except server.UnansweredError as error:
            problem = f"lost the connection ({error.problem.removeprefix(f'{self._address}: ')[:120]})"
            raise ResourceError(
                f"{self._address}: {problem}; the job may go on",
                f"do not submit it again, follow it with '{hints.follow(self._job, self._given)}'",
            ) from error

    def _begun(self) -> Any:
        """Wait until the job has left the queue, and tell what it waits for."""
        began, told = time.monotonic(), False
        with self._progress.stage("waiting for the job to start (s)") as stage:
            while (details := self.details()).status == "PENDING":
                stage.describe(self._doing(details))
                if not told and time.monotonic() - began > PATIENCE_S:
                    told = True
                    self._progress.warn(self._why())
                self._sleep(POLL_S)
                stage.advance(POLL_S)
        return details

    def _doing(self, details: Any) -> str:
        """The last line of what is told of the runtime environment, else what Ray supposes the job to wait for."""
        lines: list[str] = []
        with suppress(ResourceError):
            lines = [line.strip() for line in self.log().splitlines() if line.strip()]
        if lines:
            return lines[-1].rpartition(" -- ")[2][:100]
        return "for resources or its runtime environment" if "resources" in (details.message or "") else SETTING_UP

    def _why(self) -> str:
        nodes = server.machines(self._address) if self._wanted else None
        lacking = server.missing(self._wanted, nodes) if nodes is not None else None
        stop = f"'{hints.stop(self._job, self._given)}' gives it up"
        if lacking:
            return f"the job waits: {lacking}; {stop}"
        return (
            "the job still waits, for its runtime environment (packages to install, files to unpack) or for resources "
            f"that other jobs hold; {stop}"
        )

    async def _tail(self) -> None:
        """Pass the log on until its stream ends, or has been silent so long that it may be dead."""
        import aiohttp

        pieces: AsyncIterator[str] = self._client.tail_job_logs(self._job)
        passed = asked = 0
        coming: asyncio.Future[str | None] | None = None
        try:
            while asked < ASKS:
                coming = coming or asyncio.ensure_future(_next(pieces))
                await asyncio.wait({coming}, timeout=ASK_S)
                if not coming.done():
                    asked += 1
                    if self._details().status.is_terminal():
                        return
                    continue
                if (piece := coming.result()) is None:
                    return
                coming, asked = None, 0
                fresh = piece[max(self._shown - passed, 0) :]
                passed += len(piece)
                if fresh:
                    self._show(fresh)
                    self._shown += len(fresh)
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        finally:
            if coming is not None and not coming.done():
                coming.cancel()
                await asyncio.wait({coming}, timeout=POLL_S)

    def _rest(self, *, quietly: bool = False) -> None:
        """Show what the stream did not bring before it closed; at the end of a job, tell if that cannot be had."""
        try:
            rest = self.log() if quietly else self._patiently(self.log, FEW)
        except ResourceError as error:
            if not quietly:
                again = hints.follow(self._job, self._given).replace(" --follow", "")
                self._progress.warn(f"the last lines of the log may be missing ({error.problem[:200]}): try '{again}'")
            return
        if fresh := rest[self._shown :]:
            self._show(fresh)
            self._shown += len(fresh)


async def _next(pieces: AsyncIterator[str]) -> str | None:
    return await anext(pieces, None)
