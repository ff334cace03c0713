"""A real S3 server for tests: moto's, as a process of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKETS = ("models", "data")


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server with the buckets of `BUCKETS`; the test is skipped where there is none."""
    program = os.environ.get("RAYGENE_MOTO") or ""
    if not shutil.which(program):
        pytest.skip("RAYGENE_MOTO is not set: it names the moto_server program, an S3 server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [program, "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for bucket in BUCKETS:
            _make_bucket(f"http://127.0.0.1:{port}/{bucket}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _make_bucket(address: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=1).close()
            return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)


def environment(server: str) -> dict[str, str]:
    """The variables by which users name a server and their credentials."""
    return {
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server,
    }
