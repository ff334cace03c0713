"""The directory of a command for workers on other nodes, with a real actor; another node is one of another name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import StorageError
from pipelines.remote import MissingError
from pipelines.stores import folder_server, worker_folder
from pipelines.stores.folder_server import FolderServer, RemoteFolder
from pipelines.stores.worker_folder import WorkerFolder

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, ray_session: Any) -> Iterator[Path]:
    """A directory on the command's node that is served to other nodes."""
    directory = tmp_path_factory.mktemp("served")
    with worker_folder.served(directory):
        yield directory


@pytest.fixture
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The directory on the command's node; in the one that is served, for a test of a worker elsewhere."""
    is_served = "folder" in request.fixturenames
    directory: Path = (request.getfixturevalue("served") / tmp_path.name if is_served else tmp_path) / "there"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def folder(there: Path) -> WorkerFolder:
    """The directory, as a worker on another node gets it."""
    return replace(worker_folder.of(there), node="another")


def files(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths}


def test_where_nothing_is_served_a_worker_writes_into_the_directory_itself(there: Path) -> None:
    with worker_folder.of(there).opened(["*"]) as opened:
        assert opened.path == there
        opened.pull(["*"])
        opened.push()


def test_a_worker_on_the_node_of_the_command_writes_into_the_directory_itself(there: Path, ray_session: Any) -> None:
    with worker_folder.served(there), worker_folder.of(there / "inner").opened() as opened:
        assert opened.path == there / "inner"


def test_a_copy_begins_with_what_is_named_and_sends_what_was_written_replaced_and_removed(
    there: Path, folder: WorkerFolder
) -> None:
    for name in ("log", "old.pt", "older.pt", "other"):
        (there / name).write_text(name)
    with folder.opened(["*.pt", "log", "missing"]) as opened:
        assert opened.path != there
        assert files(opened.path) == {"log": "log", "old.pt": "old.pt", "older.pt": "older.pt"}
        (opened.path / "older.pt").unlink()
        (opened.path / "log").write_text("more")
        (opened.path / "deep" / "er").mkdir(parents=True)
        (opened.path / "deep" / "er" / "new").write_text("new")
        (opened.path / ".x.partial").write_text("unfinished")
    assert files(there) == {"deep/er/new": "new", "log": "more", "old.pt": "old.pt", "other": "other"}
    assert not opened.path.exists()


def test_a_directory_in_the_directory_is_another_one_of_the_same_server(there: Path, folder: WorkerFolder) -> None:
    inner = folder.of(there / "a" / "b")
    assert not inner.exists("name")
    with inner.opened() as opened:
        (opened.path / "name").write_text("content")
    assert files(there) == {"a/b/name": "content"}
    assert inner.exists("name")
    assert folder.exists("a/b/name")


def test_a_file_of_several_blocks_arrives_as_it_was_and_is_read_back(
    there: Path, folder: WorkerFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_server, "BLOCK", 10)
    content = bytes(range(256)) * 3 + b"end"
    with folder.opened() as opened:
        (opened.path / "large").write_bytes(content)
        (opened.path / "empty").touch()
    assert (there / "large").read_bytes() == content
    assert (there / "empty").read_bytes() == b""
    with folder.opened(["large"]) as opened:
        assert (opened.path / "large").read_bytes() == content


def test_what_grows_at_its_end_is_extended_and_what_was_replaced_is_sent_whole(
    there: Path, folder: WorkerFolder
) -> None:
    with folder.opened(appended=["log"]) as opened:
        log = opened.path / "log"
        log.write_text("one ")
        opened.push()
        inode = (there / "log").stat().st_ino
        with log.open("a") as stream:
            stream.write("two")
        opened.push()
        assert ((there / "log").read_text(), (there / "log").stat().st_ino) == ("one two", inode)
        (opened.path / "new").write_text("another")
        (opened.path / "new").replace(log)
        opened.push()
        assert (there / "log").read_text() == "another"


def test_a_file_that_was_removed_there_is_sent_again_instead_of_extended(there: Path, folder: WorkerFolder) -> None:
    with folder.opened(appended=["log"]) as opened:
        (opened.path / "log").write_text("one ")
        opened.push()
        (there / "log").unlink()
        with (opened.path / "log").open("a") as stream:
            stream.write("two")
    assert (there / "log").read_text() == "one two"


def test_what_says_that_others_are_there_is_sent_after_them(
    there: Path, folder: WorkerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    upload = RemoteFolder.upload
    monkeypatch.setattr(RemoteFolder, "upload", lambda self, path, name: (order.append(name), upload(self, path, name)))
    with folder.opened(last=["a.pt"]) as opened:
        for name in ("a.pt", "b", "c"):
            (opened.path / name).write_text(name)
    assert order == ["b", "c", "a.pt"]


def test_a_file_that_is_watched_arrives_while_the_worker_works(
    there: Path, folder: WorkerFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_folder, "PERIOD_S", 0.01)
    with folder.opened(watched=["stop"]) as opened:
        (opened.path / "log").write_text("line")
        (there / "stop").touch()
        while not (opened.path / "stop").exists() or not (there / "log").exists():
            time.sleep(0.01)
        (there / "stop").unlink()
    assert files(there) == {"log": "line"}


def test_what_a_worker_has_written_is_sent_if_it_ends_by_an_error_which_names_the_directory(
    there: Path, folder: WorkerFolder
) -> None:
    def fail() -> None:
        with folder.opened() as opened:
            (opened.path / "log").write_text("line")
            raise StorageError(f"{opened.path}/log: is full", "free space")

    with pytest.raises(StorageError, match=f"^{there}/log: is full"):
        fail()
    assert files(there) == {"log": "line"}


def test_an_error_of_the_other_node_is_raised_here(there: Path, folder: WorkerFolder) -> None:
    (there / "name").mkdir()
    with pytest.raises(StorageError, match=f"{there}/name: cannot be written"), folder.opened() as opened:
        (opened.path / "name").write_text("no directory")


def test_a_server_that_is_gone_is_an_error_of_one_line(there: Path, ray_session: Any) -> None:
    with worker_folder.served(there):
        folder = replace(worker_folder.of(there), node="another")
    with pytest.raises(StorageError, match="a worker cannot reach it on the machine of the command"):
        folder.exists("name")
    assert worker_folder.of(there) == WorkerFolder(there)


def test_a_copy_that_a_killed_worker_left_is_removed_by_the_next(
    folder: WorkerFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    left = tmp_path / "cache" / "worker-folders" / "left"
    left.mkdir(parents=True)
    with folder.opened() as first, folder.opened() as second:
        assert not left.exists()
        assert first.path.exists()
        assert second.path.exists()


def test_a_call_may_be_repeated_and_a_file_that_was_replaced_is_not_read_on(there: Path) -> None:
    server = FolderServer(there)
    for _ in range(2):
        server.put("name", "upload", 0, b"one ", is_last=False)
        server.put("name", "upload", 4, b"two", is_last=True)
        server.put("name", "upload", 4, b"two", is_last=True)
        assert server.extend("name", 7, b" three")
        assert server.extend("name", 7, b" three")
    assert not server.extend("name", 100, b"")
    assert files(there) == {"name": "one two three"}
    version = server.files("", ["name"])["name"].version
    assert server.read("name", version, 4) == b"two three"
    (there / "new").write_text("another")
    (there / "new").replace(there / "name")
    with pytest.raises(MissingError):
        server.read("name", version, 4)


def test_what_a_lost_worker_has_sent_of_a_file_is_removed_after_some_time(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FolderServer(there)
    server.put("large", "lost", 0, b"begun", is_last=False)
    monkeypatch.setattr(folder_server, "ABANDONED_S", -1.0)
    server.put("name", "upload", 0, b"whole", is_last=True)
    assert files(there) == {"name": "whole"}
