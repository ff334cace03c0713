from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from cluster.jobs.server import connect
from pipelines.errors import ResourceError


@pytest.fixture
def mute() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_takes_connections_and_says_nothing_is_told(mute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "disabled")
    with pytest.raises(ResourceError, match="takes connections and does not answer"):
        connect(mute, answer_s=0.2)
