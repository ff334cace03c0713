"""Whether anything listens at a port: told in seconds, where Ray's own clients go on trying for minutes or for ever."""

from __future__ import annotations

import socket

ANSWER_S = 10.0
"""Seconds in which a server has to answer for the first time."""


def knock(host: str, port: int) -> None:
    """Open a connection and close it.

    Raises:
        OSError: nothing takes it in time.
    """
    socket.create_connection((host, port), timeout=ANSWER_S).close()
