"""Ray's client of a job server, with a timeout for every request: without one, Ray waits for ever for a silent server.

Importing this module imports Ray, which takes a second.
"""

from __future__ import annotations

from typing import Any

from ray.job_submission import JobSubmissionClient

from cluster.port import ANSWER_S

REQUEST_S = 30.0
UPLOAD_S = 300.0
"""For requests with data: the code of a job may have to pass a slow network."""


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
