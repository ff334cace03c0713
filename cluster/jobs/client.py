"""Ray's client of a job server, with a time for every answer: Ray's own waits for ever for a server that takes a connection and says nothing.

Importing this imports Ray, a second.
"""

from __future__ import annotations

from typing import Any

from ray.job_submission import JobSubmissionClient

from cluster.port import ANSWER_S

REQUEST_S = 30.0
SENDING_S = 300.0


class Client(JobSubmissionClient):  # type: ignore[misc]
    """Ray's client.

    Args:
        address: of the job server.
        answer_s: seconds in which it has to tell its version, which is asked at once.
        request_s: seconds in which it has to answer a question.
    """

    def __init__(self, address: str, answer_s: float = ANSWER_S, request_s: float = REQUEST_S) -> None:
        self._seconds = answer_s
        super().__init__(address)
        self._seconds = request_s

    def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
        seconds = SENDING_S if options.get("data") is not None else self._seconds
        return super()._do_request(method, endpoint, **{"timeout": seconds, **options})
