from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from pipelines.errors import DependencyError, InputError, UsageError
from pipelines.remote import MissingError
from pipelines.stores import reading
from tests.empty_store import empty_store


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


def test_files_are_read_and_copied_from_a_folder_of_fsspec(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/remote/one", b"content")
    folder = reading.open_folder("memory://remote/")
    assert folder.read("one", 7) == b"content"
    folder.copy("one", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"


def test_files_are_read_from_a_web_server_with_the_query_after_the_name(web: str) -> None:
    assert reading.open_folder(f"{web}/run?token=x").read("one", 7) == b"content"


def test_a_larger_file_than_expected_is_not_read_to_its_end(web: str) -> None:
    with pytest.raises(InputError, match=r"memory://remote/one: larger than the 6 bytes it may have"):
        reading.open_folder("memory://remote").read("one", 6)
    with pytest.raises(InputError, match=r"/run/one: larger than the 6 bytes it may have"):
        reading.open_folder(f"{web}/run").read("one", 6)


def test_a_missing_file_is_an_error_of_its_own(web: str) -> None:
    for address in ("memory://nowhere", f"{web}/nowhere"):
        with pytest.raises(MissingError, match="no one there: correct the address") as caught:
            reading.open_folder(address).read("one", 7)
        assert caught.value.code == "missing"


def test_the_error_of_a_server_that_does_not_answer_holds_no_secrets() -> None:
    with pytest.raises(InputError) as caught:
        reading.open_folder("http://user:secret@127.0.0.1:1/run?token=secret").read("one", 7)
    assert "http://127.0.0.1:1/run: cannot be reached" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["nonsense://host/run", "adl://host/run"])
def test_an_address_that_no_installed_driver_serves_is_an_error(address: str) -> None:
    with pytest.raises(DependencyError, match=f"{address}: no driver for"):
        reading.open_folder(address)


def test_the_query_of_an_address_says_where_a_bundle_or_an_input_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with empty_store() as variables:
        place = f"endpoint_override={variables['AWS_ENDPOINT_URL']}&region=us-east-1&anonymous=true"
        with pytest.raises(MissingError, match=r"s3://bucket/run: no one there"):
            reading.open_folder(f"s3://bucket/run?{place}").read("one", 7)


def test_a_wrong_address_of_a_store_is_refused_before_any_request() -> None:
    with pytest.raises(UsageError, match=r"s3://bucket/run: zone: not known in the query of an s3 address"):
        reading.open_folder("s3://bucket/run?zone=x")
    with pytest.raises(UsageError, match=r"s3:///run: names no bucket"):
        reading.open_folder("s3:///run")
