from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from pipelines import remote
from pipelines.errors import DependencyError, InputError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a web server over a folder with one file."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "one").write_bytes(b"content")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_path_and_a_file_address_are_local() -> None:
    assert remote.local_path("run/bundle") == remote.local_path(Path("run/bundle")) == Path("run/bundle")
    assert remote.local_path("file:///run/my%20bundle") == Path("/run/my bundle")
    assert remote.local_path("file://localhost/run") == Path("/run")
    assert remote.local_path("s3://bucket/run") is None


@pytest.mark.parametrize("address", ["file://run/bundle", "file://host/run"])
def test_a_file_address_without_a_whole_path_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="not an absolute path: write file:///and/the/path"):
        remote.local_path(address)


def test_an_address_is_shown_without_secrets() -> None:
    assert remote.redacted("s3://key:secret@bucket/run/?endpoint_override=x") == "s3://bucket/run"
    assert remote.redacted("https://host/run?signature=secret#part") == "https://host/run"


def test_files_are_read_and_copied_from_a_folder_of_fsspec(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/remote/one", b"content")
    folder = remote.open_folder("memory://remote/")
    assert folder.read("one", 7) == b"content"
    folder.copy("one", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"


def test_files_are_read_from_a_web_server_with_the_query_after_the_name(web: str) -> None:
    assert remote.open_folder(f"{web}/run?token=x").read("one", 7) == b"content"


def test_a_larger_file_than_expected_is_not_read_to_its_end(web: str) -> None:
    with pytest.raises(InputError, match=r"memory://remote/one: larger than the 6 bytes it may have"):
        remote.open_folder("memory://remote").read("one", 6)
    with pytest.raises(InputError, match=r"/run/one: larger than the 6 bytes it may have"):
        remote.open_folder(f"{web}/run").read("one", 6)


def test_a_missing_file_is_an_error_of_its_own(web: str) -> None:
    for address in ("memory://nowhere", f"{web}/nowhere"):
        with pytest.raises(remote.MissingError, match="no one there: correct the address") as caught:
            remote.open_folder(address).read("one", 7)
        assert caught.value.code == "missing"


def test_the_error_of_a_server_that_does_not_answer_holds_no_secrets() -> None:
    with pytest.raises(InputError) as caught:
        remote.open_folder("http://user:secret@127.0.0.1:1/run?token=secret").read("one", 7)
    assert "http://127.0.0.1:1/run: cannot be reached" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["nonsense://host/run", "adl://host/run"])
def test_an_address_that_no_installed_driver_serves_is_an_error(address: str) -> None:
    with pytest.raises(DependencyError, match=f"{address}: no driver for"):
        remote.open_folder(address)
