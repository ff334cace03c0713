"""Whether a server listens at a port, answered in seconds: Ray's own clients keep trying for minutes, or for ever."""

from __future__ import annotations

import socket

ANSWER_S = 10.0
"""Seconds in which a server has to answer for the first time."""


def check_reachable(host: str, port: int) -> None:
    """Open a connection and close it again.

    Raises:
        OSError: no server accepts it in time.
    """
    socket.create_connection((host, port), timeout=ANSWER_S).close()
