from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from pipelines.errors import RaygeneError, StorageError, UsageError
from pipelines.remote import MissingError
from pipelines.stores import causes
from pipelines.stores.store import Store, each


def test_files_are_put_listed_read_copied_and_deleted(store: Store, tmp_path: Path) -> None:
    assert store.list() == {}
    (tmp_path / "local").write_bytes(b"12345")
    store.write("a/one", b"1")
    store.upload(tmp_path / "local", "two")
    assert {name: file.size for name, file in store.list().items()} == {"a/one": 1, "two": 5}
    assert store.read("two") == b"12345"
    store.copy("two", "b/three")
    store.download("b/three", tmp_path / "fetched" / "three")
    assert (tmp_path / "fetched" / "three").read_bytes() == b"12345"
    store.delete(["two", "never there"])
    store.delete_folder("b")
    store.delete_folder("never there")
    assert list(store.list()) == ["a/one"]
    assert not store.exists("two")


def test_a_store_is_pickled_as_its_address(store: Store) -> None:
    store.write("a/one", b"1")
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store
    assert copy.folder("a").read("one") == b"1"


def test_a_file_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(MissingError, match=r"bucket/folder/none: not there"):
        store.read("none")
    assert store.read_if_present("none") is None
    assert store.find("none") is None


def test_a_file_that_could_not_be_put_whole_is_not_there(store: Store) -> None:
    def fail() -> None:
        with store.replacing("half") as stream:
            stream.write(b"the first half")
            raise RuntimeError("the reader of the second half")

    with pytest.raises(RuntimeError):
        fail()
    assert store.list() == {}


def test_a_write_changes_the_version(store: Store) -> None:
    store.write("one", b"1")
    before = store.list()["one"]
    store.write("one", b"22")
    assert store.list()["one"].version != before.version


def test_no_secret_is_shown() -> None:
    store = Store("s3://key:hidden@bucket/run/?region=eu-west-1&endpoint_override=http%3A%2F%2Fhost%3A9000")
    assert str(store) == "s3://bucket/run"
    assert "hidden" not in repr(store)


def test_the_environment_of_the_first_process_says_where_the_store_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    pickled = pickle.dumps(Store("s3://bucket/run"))
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_REGION")
    store = pickle.loads(pickled)
    assert store.system.region == "eu-west-1"
    assert "127.0.0.1:9000" in store.address


def test_the_query_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    store = Store("s3://bucket/run?endpoint_override=host:80&scheme=http&region=us-east-1&anonymous=true")
    assert "127.0.0.1" not in store.address
    assert store.system.region == "us-east-1"


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("https://host/run", "https://host/run: a web server, which takes no files: name a local path or a bucket"),
        ("memory://run", "memory://run: exists in one process only: name a local path or a bucket"),
    ],
)
def test_what_takes_no_files_is_refused_at_once(address: str, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        Store(address)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("s3:///run", "s3:///run: names no bucket: write s3://BUCKET/FOLDER"),
        (
            "s3://bucket/run?colour=red",
            "s3://bucket/run: colour: not known in the query of an s3 address: "
            "choose from anonymous, endpoint_override, region, scheme, tls_ca_file_path",
        ),
    ],
)
def test_an_address_that_no_store_can_have_is_refused(address: str, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        Store(address).list()
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (
            "When initiating multiple part upload for key 'x' in bucket 'b': AWS Error NO_SUCH_BUCKET during "
            "CreateMultipartUpload operation: The specified bucket does not exist",
            "storage-no-bucket",
            "make the bucket first",
        ),
        (
            "When getting information for key 'x' in bucket 'b': AWS Error ACCESS_DENIED during HeadObject operation: "
            "No response body.",
            "storage-denied",
            "list, read, write and delete",
        ),
        (
            "When reading information for key 'x' in bucket 'b': AWS Error UNKNOWN (HTTP status 403) during HeadObject "
            "operation: No response body.",
            "storage-denied",
            "AWS_PROFILE",
        ),
        (
            "AWS Error UNKNOWN (HTTP status 400) during PutObject operation: Unable to parse ExceptionName: "
            "ExpiredToken Message: The provided token has expired.",
            "storage-expired",
            "get new ones and run the same command again",
        ),
        (
            "AWS Error INVALID_ACCESS_KEY_ID during PutObject operation: The AWS Access Key Id you provided does not "
            "exist in our records.",
            "storage-credentials",
            "missing or not accepted",
        ),
        (
            "AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7, Could not connect to server",
            "storage-unreachable",
            "does not answer",
        ),
        ("something new", "storage", "something new"),
    ],
)
def test_what_a_driver_says_becomes_one_line_with_the_fix(text: str, code: str, words: str) -> None:
    error = causes.explained("s3://b/x", OSError(text))
    assert isinstance(error, StorageError)
    assert error.code == code
    assert words in str(error)
    assert str(error).startswith("s3://b/x: ")
    assert "\n" not in str(error)


def test_the_first_error_of_many_calls_is_raised() -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise RaygeneError("three")
        return number

    assert each(lambda number: number + 1, [1, 2]) == [2, 3]
    with pytest.raises(RaygeneError, match="three"):
        each(fail, list(range(100)))


@pytest.mark.full
def test_an_s3_server_holds_the_files(s3: str, tmp_path: Path) -> None:
    store = Store("s3://data/files/run")
    content = bytes(range(256)) * 100_000
    (tmp_path / "large").write_bytes(content)
    store.upload(tmp_path / "large", "large")
    store.write("folder/small", b"1")
    store.copy("large", "folder/copy")
    store.download("folder/copy", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    assert {name: file.size for name, file in store.list().items()} == {
        "large": len(content),
        "folder/small": 1,
        "folder/copy": len(content),
    }
    store.delete_folder("folder")
    assert list(store.list()) == ["large"]


@pytest.mark.full
def test_a_bucket_that_is_not_there_is_one_line(s3: str) -> None:
    with pytest.raises(StorageError, match=r"^s3://nowhere/run/x: there is no such bucket .*: make the bucket first"):
        Store("s3://nowhere/run").write("x", b"1")
