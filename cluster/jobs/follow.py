"""Follows a job: waits until it begins, passes its log on as it grows, and comes back with how it ended.

The log is read through a stream that may break (a proxy, a sleeping laptop); it is opened again and what was shown is
passed over. Asking how the job does costs a request a second before it begins, and one at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from cluster.jobs import server
from pipelines.errors import ResourceError
from pipelines.progress import Progress

POLL_S = 1.0
PATIENCE_S = 15.0
TRIES = 10
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
    """

    def __init__(
        self,
        client: Any,
        address: str,
        job: str,
        progress: Progress,
        show: Callable[[str], None],
        wanted: Mapping[str, float],
    ) -> None:
        self._client, self._address, self._job = client, address, job
        self._progress, self._show, self._wanted = progress, show, wanted
        self._shown = 0

    def details(self) -> Any:
        """How the job does: Ray's `JobDetails`.

        Raises:
            RaygeneError: it cannot be asked.
        """
        with server.answering(self._address, self._job):
            return self._client.get_job_info(self._job)

    def follow(self) -> Any:
        """Return the job's `JobDetails` once it has ended.

        Raises:
            RaygeneError: the server is gone for good; the job may go on.
        """
        details = self._begun()
        failures = 0
        while not details.status.is_terminal():
            shown = self._shown
            try:
                asyncio.run(self._tail())
                details = self.details()
                failures = 0 if self._shown > shown else failures + 1
            except (ResourceError, OSError, RuntimeError, TimeoutError) as error:
                failures = 1 if self._shown > shown else failures + 1
                if failures > TRIES:
                    raise ResourceError(
                        f"{self._address}: lost the connection ({' '.join(str(error).split())[:120]}); the job may go on",
                        f"follow it again with 'raygene submit logs {self._job} --follow'",
                    ) from error
            if not details.status.is_terminal():
                time.sleep(POLL_S)
        self._rest()
        return details

    def _begun(self) -> Any:
        """Wait until the job has left the queue, and tell what it waits for."""
        began, told = time.monotonic(), False
        with self._progress.stage("waiting for the job to start (s)") as stage:
            while (details := self.details()).status == "PENDING":
                stage.describe(self._doing(details))
                if not told and time.monotonic() - began > PATIENCE_S:
                    told = True
                    self._progress.warn(self._why())
                time.sleep(POLL_S)
                stage.advance(POLL_S)
        return details

    def _doing(self, details: Any) -> str:
        """The last line of what is told of the runtime environment, else what Ray supposes the job to wait for."""
        lines = [line.strip() for line in self.log().splitlines() if line.strip()]
        if lines:
            return lines[-1].rpartition(" -- ")[2][:100]
        return "for resources or its runtime environment" if "resources" in (details.message or "") else SETTING_UP

    def _why(self) -> str:
        nodes = server.machines(self._address) if self._wanted else None
        lacking = server.missing(self._wanted, nodes) if nodes is not None else None
        stop = f"'raygene submit stop {self._job}' gives it up"
        if lacking:
            return f"the job waits: {lacking}; {stop}"
        return (
            "the job still waits, for its runtime environment (packages to install, files to unpack) or for resources "
            f"that other jobs hold; {stop}"
        )

    def log(self) -> str:
        """All of the job's log so far; empty before there is any."""
        try:
            return str(self._client.get_job_logs(self._job) or "")
        except Exception:
            # Before a job has begun, Ray has no log to give and says so in several ways.
            return ""

    async def _tail(self) -> None:
        import aiohttp

        passed = 0
        try:
            async for piece in self._client.tail_job_logs(self._job):
                fresh = piece[max(self._shown - passed, 0) :]
                passed += len(piece)
                if fresh:
                    self._show(fresh)
                    self._shown += len(fresh)
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    def _rest(self) -> None:
        """Show what the stream did not bring before it closed."""
        if rest := self.log()[self._shown :]:
            self._show(rest)
            self._shown += len(rest)
