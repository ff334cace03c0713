"""What a store says of credentials, as one line with the variables that name them: for outputs, and for inputs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import RaygeneError
from pipelines.stores import reading
from pipelines.stores.rehearsal import rehearse
from pipelines.stores.store import Store

HELP = "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name them"
REFUSALS = {
    "ExpiredToken": (400, "the credentials have expired", f"get new ones and run the same command again; {HELP}"),
    "InvalidAccessKeyId": (403, "the credentials are missing or not accepted", f"correct them: {HELP}"),
    "SignatureDoesNotMatch": (403, "the credentials are missing or not accepted", f"correct them: {HELP}"),
    "AccessDenied": (403, "access is denied", "check that there are credentials, and that they may"),
}


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Gives the query of an address in a store that refuses every request with a code."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    servers = []

    def serve(code: str) -> str:
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(REFUSALS[code][0])
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"?region=us-east-1&endpoint_override=http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_is_one_line_with_what_to_do(code: str, refusing: Callable[[str], str], tmp_path: Path) -> None:
    query, (_, problem, fix) = refusing(code), REFUSALS[code]
    operations: list[Callable[[], object]] = [
        lambda: Store(f"s3://lab/run{query}").write("checkpoint", b"1"),
        lambda: Store(f"s3://lab/run{query}").find("checkpoint"),
        lambda: Store(f"s3://lab/run{query}").download("checkpoint", tmp_path / "copy"),
        lambda: reading.open_folder(f"s3://lab/inputs{query}").read("genome.fa", 10),
    ]
    for operation in operations:
        with pytest.raises(RaygeneError) as caught:
            operation()
        line = str(caught.value)
        assert problem in line
        assert fix in line
        assert "hidden" not in line


def test_doctor_says_of_expired_credentials_what_the_verbs_say(refusing: Callable[[str], str]) -> None:
    (refused,) = rehearse(f"s3://lab/run{refusing('ExpiredToken')}")
    assert (refused.name, refused.level) == ("list", "failure")
    assert refused.problem.startswith("the credentials have expired")
