from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from pipelines import fingerprint
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
    monkeypatch.setattr(fingerprint, "of_file", lambda path: pytest.fail(f"{path} is read again"))
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
