from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.errors import BusyError
from pipelines.stores import lease, working_copy
from pipelines.stores.store import Store
from pipelines.stores.working_copy import WorkingCopy


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> WorkingCopy:
    return WorkingCopy(store, tmp_path / "copy", last=("manifest.json",), skip=("*.lock",))


def test_only_what_differs_is_fetched(store: Store, copy: WorkingCopy, tmp_path: Path) -> None:
    store.write("a/one", b"1")
    store.write("two", b"2")
    assert sorted(copy.pull()) == ["a/one", "two"]
    store.write("two", b"22")
    assert WorkingCopy(store, tmp_path / "copy").pull() == ["two"]
    assert (copy.path / "two").read_bytes() == b"22"


def test_a_file_that_was_changed_here_is_fetched_again(store: Store, copy: WorkingCopy) -> None:
    store.write("one", b"1")
    copy.pull()
    (copy.path / "one").write_bytes(b"2")
    assert copy.pull() == ["one"]
    assert (copy.path / "one").read_bytes() == b"1"


def test_files_that_were_never_put_are_removed(store: Store, copy: WorkingCopy) -> None:
    copy.path.mkdir()
    (copy.path / "from a killed process").write_text("x")
    (copy.path / "folder.lock").write_text("")
    copy.pull()
    assert [path.name for path in copy.path.iterdir()] == ["folder.lock"]


def test_what_has_changed_is_put_and_the_marker_last(
    store: Store, copy: WorkingCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.pull()
    for name in ("a", "manifest.json", "z"):
        (copy.path / name).write_text(name)
    order: list[str] = []
    upload, delete = Store.upload, Store.delete

    def noted_upload(self: Store, source: Path, name: str) -> None:
        order.append(name)
        upload(self, source, name)

    def noted_delete(self: Store, names: list[str]) -> None:
        order.extend(f"-{name}" for name in names)
        delete(self, names)

    monkeypatch.setattr(Store, "upload", noted_upload)
    monkeypatch.setattr(Store, "delete", noted_delete)
    copy.push()
    assert order[-1] == "manifest.json"
    order.clear()
    (copy.path / "manifest.json").write_text("again")
    (copy.path / "a").unlink()
    assert copy.push() == ["manifest.json"]
    assert order == ["manifest.json", "-a"]
    assert sorted(store.list()) == ["manifest.json", "z"]


def test_what_was_put_is_not_fetched_again_unless_another_node_wrote_it(store: Store, copy: WorkingCopy) -> None:
    copy.pull()
    (copy.path / "one").write_text("1")
    copy.push()
    assert copy.pull() == []
    store.write("one", b"2")
    os.utime(store.path("one"), ns=(1, 1))
    assert copy.pull() == ["one"]
    assert (copy.path / "one").read_text() == "2"


def test_only_wanted_files_are_fetched_and_others_stay(store: Store, copy: WorkingCopy) -> None:
    store.write("small", b"1")
    store.write("checkpoints/large", b"2")
    assert copy.pull(lambda name: name == "small") == ["small"]
    copy.push()
    assert sorted(store.list()) == ["checkpoints/large", "small"]


def test_nothing_is_left_on_this_node_but_the_work_of_a_failure(store: Store) -> None:
    with working_copy.opened(store) as copy:
        (copy.path / "one").write_text("1")
        path = copy.path
    assert not path.exists()
    assert list(store.list()) == ["one"]

    def fail() -> None:
        with working_copy.opened(store) as copy:
            (copy.path / "two").write_text("2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert sorted(store.list()) == ["one", "two"]
    assert path.exists()
    with working_copy.opened(store) as copy:
        assert copy.pull() == []
    assert not path.exists()


def test_one_process_at_a_time_has_a_folder_open(store: Store) -> None:
    with working_copy.opened(store), pytest.raises(BusyError):
        working_copy.opened(store).__enter__()


def test_a_writer_that_was_taken_over_puts_nothing(store: Store) -> None:
    def lose() -> None:
        with working_copy.opened(store) as copy:
            (copy.path / "one").write_text("1")
            store.delete([lease.NAME])

    with pytest.raises(BusyError, match="has taken it over"):
        lose()
    assert store.list() == {}


def test_what_killed_commands_left_long_ago_makes_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    left = WorkingCopy(store.folder("left"), working_copy.copy_path(store.folder("left")))
    left.pull()
    (left.path / "checkpoint").write_bytes(bytes(1000))
    os.utime(left.path, (0, 0))
    monkeypatch.setenv("RAYGENE_CACHE_GIB", "1e-7")
    WorkingCopy(store, working_copy.copy_path(store)).pull()
    assert sorted(path.name[:24] for path in left.path.parent.iterdir()) == [working_copy.copy_path(store).name] * 2


def test_a_file_that_is_removed_while_others_are_put_is_left_out(
    store: Store, copy: WorkingCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.pull()
    for name in ("one", "two"):
        (copy.path / name).write_text(name)
    upload = Store.upload

    def remove_first(self: Store, source: Path, name: str) -> None:
        (copy.path / "one").unlink(missing_ok=True)
        upload(self, source, name)

    monkeypatch.setattr(Store, "upload", remove_first)
    copy.push()
    assert set(store.list()) == {"two"}
