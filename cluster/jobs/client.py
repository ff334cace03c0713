"""Ray's client of a job server, with a timeout for every request: without one, Ray waits for ever for a silent server.

Importing this module imports Ray, which takes a second.
"""

from __future__ import annotations

import time
from typing import Any

from ray.job_submission import JobSubmissionClient

from cluster.port import ANSWER_S

REQUEST_S = 30.0
UPLOAD_S = 300.0
"""For requests with data: the code of a job may have to pass a slow network."""
AGENT_S, RETRY_S = 90.0, 2.0
"""How long, and how often, a cluster that has just started is asked until it can start jobs."""
NO_AGENT = "No available agent"
"""Part of Ray's answer, with status 500, as long as no machine's agent has reported: no job has been made then."""


class Client(JobSubmissionClient):  # type: ignore[misc]
    """Ray's client, with timeouts.

    Args:
        address: of the job server.
        answer_s: seconds in which the server has to report its version, which is requested at once.
        request_s: seconds in which it has to answer any later request.
    """

    def __init__(self, address: str, answer_s: float = ANSWER_S, request_s: float = REQUEST_S) -> None:
        self._timeout_s = answer_s
        super().__init__(address)
        self._timeout_s = request_s

    def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
        timeout_s = UPLOAD_S if options.get("data") is not None else self._timeout_s
        return super()._do_request(method, endpoint, **{"timeout": timeout_s, **options})

    def submit_job(self, **options: Any) -> str:
        """Start a job; arguments as Ray's. Waits for a cluster that has just started."""
        deadline = time.monotonic() + AGENT_S
        while True:
            try:
                job: str = super().submit_job(**options)
                return job
            except RuntimeError as error:
                # Ray has no class for it.
                if NO_AGENT not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(RETRY_S)
