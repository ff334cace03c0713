from __future__ import annotations

import hashlib
import os
import platform
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import InputError
from pipelines.inputs import contents


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as unchanged for long."""
    monkeypatch.setattr(contents, "SETTLED", -1.0)
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    return path


def test_an_unchanged_file_is_read_once(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = contents.of_file(settled)
    assert first == hashlib.sha256(b"abc").hexdigest()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert contents.of_file(settled) == first


def test_a_file_of_other_bytes_and_the_same_size_and_time_is_read_again(settled: Path) -> None:
    first, status = contents.of_file(settled), settled.stat()
    time.sleep(0.02)
    settled.write_bytes(b"xyz")
    os.utime(settled, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert contents.of_file(settled) != first


def test_the_hash_of_a_file_that_was_just_written_is_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a").write_bytes(b"abc")
    contents.of_file(tmp_path / "a")
    assert not (tmp_path / "cache" / "contents").exists()


def test_without_a_cache_a_file_is_read_each_time(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYGENE_CACHE", str(settled))
    assert contents.of_file(settled) == hashlib.sha256(b"abc").hexdigest()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        contents.of_file(tmp_path / "none")


@pytest.mark.parametrize("entry", ["", "0" * 64, "0" * 64 + " " + "0" * 64, "\xff" * 129])
def test_a_damaged_entry_of_the_cache_is_ignored_and_replaced(settled: Path, entry: str) -> None:
    content = contents.of_file(settled)
    path = contents._entry(settled, contents.status_of(settled))
    assert path.read_text().startswith(content)
    path.write_text(entry, encoding="latin-1")
    assert contents.of_file(settled) == content
    assert path.read_text().startswith(content)


def test_an_entry_of_another_file_is_ignored(settled: Path) -> None:
    content = contents.of_file(settled)
    entry = contents._entry(settled, contents.status_of(settled))
    other = settled.with_name("b")
    other.write_bytes(b"other")
    contents.of_file(other)
    entry.write_bytes(contents._entry(other, contents.status_of(other)).read_bytes())
    assert contents.of_file(settled) == content


def test_a_file_that_is_written_again_within_a_tick_of_the_clock_is_another(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for number in range(20):
        path.write_bytes(b"%03d" % number)
        with contents.open_regular(path) as stream:
            first, status = contents.of_open(stream, path)
        assert first == hashlib.sha256(b"%03d" % number).hexdigest()
        path.write_bytes(b"%03d" % (number + 500))
        assert contents.status_of(path) != status


def test_a_file_that_never_keeps_still_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest = tmp_path / "a", hashlib.file_digest
    path.write_bytes(b"a")

    def append(*arguments: Any) -> Any:
        with path.open("ab") as stream:
            stream.write(b"a")
        return digest(*arguments)

    monkeypatch.setattr(hashlib, "file_digest", append)
    with pytest.raises(InputError, match="a: changed while it was read: run the same command again"):
        contents.of_file(path)


def refuse_after(change: Callable[[Path], None], path: Path) -> None:
    change(path)
    raise InputError("line 1: half a row", "fix it")


def edit(path: Path) -> None:
    path.write_bytes(b"xyz")


def replace(path: Path) -> None:
    path.with_name("b").write_bytes(b"xyz")
    path.with_name("b").rename(path)


def remove(path: Path) -> None:
    path.unlink()


def edit_and_restore(path: Path) -> None:
    status = path.stat()
    path.write_bytes(b"xyz")
    path.write_bytes(b"abc")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [edit, replace, remove, edit_and_restore])
def test_a_file_that_changes_while_a_block_reads_it_is_an_error(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    with pytest.raises(InputError, match="a: changed while it was read"), contents.unchanged(path):
        change(path)
    path.write_bytes(b"abc")
    # What the reader said of a file that was being written is not shown.
    with pytest.raises(InputError, match="a: changed while it was read"), contents.unchanged(path):
        refuse_after(change, path)
    path.write_bytes(b"abc")
    with (
        pytest.raises(InputError, match="a: changed while it was read"),
        contents.holding({path: contents.of_file(path)}, platform.node()),
    ):
        change(path)


def test_a_file_that_is_not_the_expected_one_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    with pytest.raises(InputError, match="changed while"), contents.holding({path: "0" * 64}, platform.node()):
        pytest.fail("read")
    with pytest.raises(InputError, match="another file on machine"), contents.holding({path: "0" * 64}, "elsewhere"):
        pytest.fail("read")


def test_an_unchanged_file_may_be_read_any_number_of_times(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    with contents.holding({path: contents.of_file(path)}, platform.node()), contents.unchanged(path):
        assert [path.read_bytes() for _ in range(3)] == [b"abc"] * 3


def test_what_cannot_be_read_twice_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is a pipe, which can be read only once: write it to a file first"):
        contents.of_file(tmp_path / "pipe")
    with pytest.raises(InputError, match="/dev/zero: is a device: write it to a file first"):
        contents.of_file(Path("/dev/zero"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(InputError, match="s: is a socket"):
            contents.of_file(tmp_path / "s")
    assert contents.of_file(Path("/dev/null")) == hashlib.sha256().hexdigest()


def test_a_file_that_this_process_wrote_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    contents.remember(path, "c" * 64)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert contents.of_file(path) == "c" * 64
