"""Reading from web servers that are broken or hostile: bounded in bytes, time and redirects, and one line each."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.errors import InputError
from pipelines.stores import reading, web

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address of a server that answers every request in one way."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)
            self.close_connection = True

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/run"
    finally:
        server.shutdown()
        server.server_close()


def start(request: BaseHTTPRequestHandler, status: int = 200, **headers: str) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()


def send(content: bytes, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        start(request, **headers)
        request.wfile.write(content)

    return answer


def without_end(request: BaseHTTPRequestHandler) -> None:
    start(request, Connection="close")
    while True:
        request.wfile.write(b"x" * 65_536)


def announced_without_end(request: BaseHTTPRequestHandler) -> None:
    start(request, Content_Length=str(10**12))
    while True:
        request.wfile.write(b"x" * 65_536)


def chunks_without_end(request: BaseHTTPRequestHandler) -> None:
    start(request, Transfer_Encoding="chunked")
    while True:
        request.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


def cut_chunks(request: BaseHTTPRequestHandler) -> None:
    start(request, Transfer_Encoding="chunked")
    request.wfile.write(b"10\r\n1234")


def silent(request: BaseHTTPRequestHandler) -> None:
    time.sleep(30)


def silent_after_some(request: BaseHTTPRequestHandler) -> None:
    start(request, Content_Length="100")
    request.wfile.write(b"some")
    request.wfile.flush()
    time.sleep(30)


def trickling(request: BaseHTTPRequestHandler) -> None:
    start(request, Connection="close")
    while True:
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(0.05)


def redirect(location: str) -> Answer:
    return lambda request: start(request, 302, Location=location, Content_Length="0", Connection="close")


ANSWERS: dict[str, tuple[Answer, str]] = {
    "sends without end": (without_end, "/run/one: larger than the 1,000 bytes it may have"),
    "announces a terabyte": (announced_without_end, "/run/one: larger than the 1,000 bytes it may have"),
    "sends chunks without end": (chunks_without_end, "/run/one: larger than the 1,000 bytes it may have"),
    "sends zeros that unpack to more": (
        send(gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip", Connection="close"),
        "/run/one: larger than the 1,000 bytes it may have",
    ),
    "announces more than it sends": (send(b"some", Content_Length="900"), "cannot be reached"),
    "announces nonsense": (send(b"some", Content_Length="many"), "cannot be reached"),
    "announces less than nothing": (send(b"some", Content_Length="-5"), "cannot be reached"),
    "cuts a chunk": (cut_chunks, "cannot be reached"),
    "redirects in a circle": (redirect("/run/one"), "/run/one: redirected more than 5 times"),
    "redirects to a file": (redirect("file:///etc/passwd"), "/run/one: redirected to what is no web address"),
    "redirects to ftp": (redirect("ftp://127.0.0.1/x"), "/run/one: redirected to what is no web address"),
    "redirects to nowhere": (redirect("http://"), "one"),
    "has an error": (lambda request: start(request, 500, Content_Length="0"), "cannot be reached"),
    "wants a password": (lambda request: start(request, 401, Content_Length="0"), "cannot be reached"),
    "is silent": (silent, "cannot be reached"),
    "is silent after some bytes": (silent_after_some, "cannot be reached"),
    "trickles": (trickling, "bytes came in"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_server_that_misbehaves_is_one_line_within_the_limits(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SILENCE_S", 0.5)
    monkeypatch.setattr(reading, "SLOW_AFTER_S", 0.5)
    answer, problem = ANSWERS[case]
    began = time.monotonic()
    with serving(answer) as address, pytest.raises(InputError) as caught:
        reading.open_folder(f"{address}?token=hidden").read("one", 1_000)
    assert time.monotonic() - began < 10
    assert problem in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_no_web_server_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"220 mail.example ESMTP\r\n\0\xff")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(InputError, match="cannot be reached"):
            reading.open_folder(f"http://127.0.0.1:{listening.getsockname()[1]}/run").read("one", 1_000)


@pytest.mark.parametrize(
    "answer",
    [
        send(b"some", Content_Length="4"),
        send(b"some", Connection="close"),
        send(gzip.compress(b"some"), Content_Encoding="gzip", Connection="close"),
        send(b"2\r\nso\r\n2\r\nme\r\n0\r\n\r\n", Transfer_Encoding="chunked"),
    ],
)
def test_a_server_that_behaves_is_read_in_whichever_way_it_sends(answer: Answer) -> None:
    with serving(answer) as address:
        assert reading.open_folder(address).read("one", 4) == b"some"


def test_a_redirect_to_another_web_address_is_followed() -> None:
    with serving(send(b"some", Content_Length="4")) as there, serving(redirect(f"{there}/one")) as address:
        assert reading.open_folder(address).read("one", 4) == b"some"
