from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines import storage
from pipelines.errors import BusyError, ResourceError, StorageError

SPAWN = multiprocessing.get_context("spawn")


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    storage.write_text(path, "old")

    def interrupted() -> None:
        with storage.replacing(path) as temporary:
            temporary.write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        storage.write_text(tmp_path / "file" / "below.json", "x")


PLACES = {
    "file": r"cannot be written \(File exists\): choose another path: something of that name is there$",
    "file/run": r"cannot be written \(Not a directory\): choose another path: a file is where a directory should be$",
    "file/runs/run": r"cannot be written \(Not a directory\): ",
    "link": r"cannot be written \(File exists\): ",
    "link/run": r"cannot be written \(File exists\): ",
    "circle/run": r"cannot be written \(Too many levels of symbolic links\): remove the circle",
    "n" * 300: r"cannot be written \(File name too long\): choose a shorter name",
}
"""Directories that cannot be made, and why."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("make", [storage.make_directory, storage.require_creatable])
def test_a_directory_that_cannot_be_made_is_refused_with_the_same_line_before_and_when_it_is_made(
    tmp_path: Path, place: str, make: Callable[[Path], None]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(StorageError, match=f"^{tmp_path / place}: {PLACES[place]}"):
        make(tmp_path / place)


@pytest.mark.parametrize(("flags", "reason"), [(os.ST_RDONLY, "Read-only file system"), (0, "Permission denied")])
@pytest.mark.parametrize("place", ["runs/run", "."])
def test_a_directory_in_one_that_cannot_be_written_is_refused_before_it_is_made_or_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, reason: str, place: str
) -> None:
    status = os.statvfs_result((*os.statvfs(tmp_path)[:8], flags, 255))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(os, "statvfs", lambda path: status)
    with pytest.raises(StorageError, match=rf"^{tmp_path / place}: cannot be written \({reason}\)"):
        storage.require_creatable(tmp_path / place)


def test_a_directory_that_can_be_made_is_not_made_by_the_check(tmp_path: Path) -> None:
    storage.require_creatable(tmp_path / "runs" / "run")
    assert not any(tmp_path.iterdir())


def test_two_writers_of_one_directory_never_meet(tmp_path: Path) -> None:
    with storage.only_writer(tmp_path / "data"):
        with storage.only_writer(tmp_path / "other"):
            pass
        with (
            pytest.raises(ResourceError, match="data: another process is writing it"),
            storage.only_writer(tmp_path / "data"),
        ):
            pass
    with storage.only_writer(tmp_path / "data"):
        pass
    assert list(tmp_path.iterdir()) == []


def hold(directory: Path, is_held: Any) -> None:
    with storage.only_writer(directory):
        is_held.set()
        time.sleep(60)


def test_the_lock_of_a_killed_process_is_released(tmp_path: Path) -> None:
    is_held = SPAWN.Event()
    holder = SPAWN.Process(target=hold, args=(tmp_path / "data", is_held))
    holder.start()
    assert is_held.wait(60)
    with pytest.raises(BusyError), storage.only_writer(tmp_path / "data"):
        pass
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with storage.only_writer(tmp_path / "data"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wait", [False, True])
def test_a_file_system_without_locks_is_not_taken_for_another_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(StorageError, match=r"data: cannot be locked \(No locks available\): choose a location"),
        storage.only_writer(tmp_path / "data", wait=wait),
    ):
        pass


def test_a_folder_that_takes_no_lock_is_refused_rather_than_tried_for_ever(tmp_path: Path) -> None:
    (tmp_path / ".data.lock").symlink_to(tmp_path / "missing" / "lock")
    with (
        pytest.raises(StorageError, match=r"\.data\.lock: cannot be written \(.*\): check the path"),
        storage.only_writer(tmp_path / "data"),
    ):
        pytest.fail("the lock was taken")


def test_a_lock_on_a_file_that_was_replaced_meanwhile_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flock = tmp_path / ".data.lock", fcntl.flock
    inodes: list[int] = []

    def flock_after_the_file_was_renamed(stream: Any, operation: int) -> None:
        flock(stream, operation)
        inodes.append(os.fstat(stream.fileno()).st_ino)
        if len(inodes) == 1:
            # As NFS does when another process unlinks a file that is open.
            path.rename(tmp_path / ".nfs0001")

    monkeypatch.setattr(fcntl, "flock", flock_after_the_file_was_renamed)
    with storage.only_writer(tmp_path / "data"):
        assert path.stat().st_ino == inodes[-1]
    assert len(inodes) == 2


def test_the_temporary_files_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "split=train").mkdir()
    leftovers = [tmp_path / ".a.json.123.partial", tmp_path / "split=train" / ".part.9.partial"]
    for path in [*leftovers, tmp_path / "a.json"]:
        path.write_text("")
    storage.remove_partial(tmp_path, "a.json")
    assert [path.exists() for path in leftovers] == [False, True]
    storage.remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.json", "split=train"]


def test_a_staging_directory_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    old, staging = tmp_path / "data", tmp_path / ".data.building-abc"
    for folder, text in ((old, "old"), (staging, "new")):
        folder.mkdir()
        (folder / "a").write_text(text)
    storage.swap_in(staging, old)
    assert (old / "a").read_text() == "new"
    assert list(tmp_path.iterdir()) == [old]


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("old")
    data.rename(tmp_path / ".data.replaced")
    storage.recover(data)
    assert (data / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [data]


def test_a_file_that_was_written_again_has_another_status_though_size_and_content_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "file"
    storage.write_text(path, "text")
    before = storage.file_status(path)
    assert path.read_text() == "text"
    assert storage.file_status(path) == before
    storage.write_text(path, "text")
    os.utime(path, ns=(before[1], before[1]))
    assert storage.file_status(path) != before


def test_a_relative_cache_directory_does_not_move_with_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", "cache")
    (tmp_path / "elsewhere").mkdir()
    for folder in (tmp_path, tmp_path / "elsewhere"):
        monkeypatch.chdir(folder)
        assert storage.cache_directory() == tmp_path / "cache"


def test_a_cache_that_is_made_is_for_its_owner_alone_and_one_that_is_there_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "new" / "cache"))
    assert stat.S_IMODE(storage.cache_directory().stat().st_mode) == 0o700
    (tmp_path / "shared").mkdir(mode=0o755)
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "shared"))
    assert stat.S_IMODE(storage.cache_directory().stat().st_mode) == 0o755
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "file" / "cache"))
    assert storage.cache_directory() == tmp_path / "file" / "cache"


def test_the_room_of_a_small_disk_is_named_in_a_unit_in_which_it_is_not_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = shutil.disk_usage(tmp_path)._replace(total=64 << 20, free=204_800)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: disk)
    with pytest.raises(StorageError, match=rf"^{tmp_path}: 200 KiB are free, too few for unpacking a genome: "):
        storage.require_room(tmp_path, "unpacking a genome")
