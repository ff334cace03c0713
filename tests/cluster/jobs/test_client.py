from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import ray
from aiohttp import web

from cluster.jobs import client, follow
from cluster.jobs.server import connect
from pipelines.errors import ResourceError
from pipelines.progress import Silent


@pytest.fixture
def unresponsive_server() -> Iterator[str]:
    """A server that accepts connections and does not answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_does_not_answer_is_an_error(unresponsive_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "disabled")
    with pytest.raises(ResourceError, match="accepts connections but does not answer"):
        connect(unresponsive_server, answer_s=0.2)


INFO = {"type": "SUBMISSION", "submission_id": "j", "entrypoint": "python -m cluster build"}


@contextmanager
def served(application: web.Application) -> Iterator[str]:
    """The address of a server that runs in a thread."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application, shutdown_timeout=0)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
    serving = threading.Thread(target=loop.run_forever, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    loop.call_soon_threadsafe(loop.stop)
    serving.join()


@pytest.fixture
def silent_stream_server() -> Iterator[str]:
    """A job server with one job that ends, and whose log stream brings one line and then nothing."""
    requests = itertools.count()

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"version": "4", "ray_version": ray.__version__, "ray_commit": "x"})

    async def info(_: web.Request) -> web.Response:
        return web.json_response({**INFO, "status": "RUNNING" if next(requests) < 2 else "SUCCEEDED"})

    async def logs(_: web.Request) -> web.Response:
        return web.json_response({"logs": "a\nb\n"})

    async def tail(request: web.Request) -> web.WebSocketResponse:
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        await stream.send_str("a\n")
        await asyncio.sleep(3600)
        return stream

    application = web.Application()
    for path, handler in [("version", version), ("jobs/j", info), ("jobs/j/logs", logs), ("jobs/j/logs/tail", tail)]:
        application.router.add_get(f"/api/{path}", handler)
    with served(application) as address:
        yield address


def test_a_silent_stream_of_a_real_server_hides_neither_log_nor_end(
    silent_stream_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "disabled")
    monkeypatch.setattr(follow, "SILENCE_S", 0.05)
    shown: list[str] = []
    details = follow.Follower(
        connect(silent_stream_server), silent_stream_server, "j", Silent(), shown.append, {}
    ).follow()
    assert details.status == "SUCCEEDED"
    assert "".join(shown) == "a\nb\n"


@pytest.fixture
def starting_server() -> Iterator[tuple[str, list[str]]]:
    """A job server whose machines report only after two requests, and the ids of the requested jobs."""
    asked: list[str] = []

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"version": "4", "ray_version": ray.__version__, "ray_commit": "x"})

    async def submit(request: web.Request) -> web.Response:
        asked.append((await request.json())["submission_id"])
        if len(asked) < 3:
            return web.Response(status=500, text="No available agent to submit job, please try again later.")
        return web.json_response({"job_id": "j", "submission_id": "j"})

    application = web.Application()
    application.router.add_get("/api/version", version)
    application.router.add_post("/api/jobs/", submit)
    with served(application) as address:
        yield address, asked


def test_a_cluster_that_has_just_started_is_asked_until_it_can_start_jobs(
    starting_server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = starting_server
    monkeypatch.setattr(client, "RETRY_S", 0.01)
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "disabled")
    assert connect(address).submit_job(entrypoint="true", submission_id="j") == "j"
    assert asked == ["j"] * 3
