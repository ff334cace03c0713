from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from pipelines import os_errors, storage
from pipelines.errors import BusyError, StorageError


def refusal(number: int, path: str = "/data/x") -> OSError:
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, "free space there"),
        (errno.EDQUOT, "within your quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "mounted read-only"),
        (errno.EACCES, "correct its permissions"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENAMETOOLONG, "a shorter name"),
        (errno.EIO, "check that disk or network storage"),
        (errno.ESTALE, "check that disk or network storage"),
        (errno.ENOTDIR, "a file is where a directory should be"),
        (errno.EBADF, "choose another location"),
    ],
)
def test_every_cause_of_a_failed_write_has_a_fix_of_its_own(number: int, expected: str) -> None:
    error = storage.write_error(Path("/data/x"), refusal(number))
    assert str(error).startswith(f"/data/x: cannot be written ({os.strerror(number)}): ")
    assert expected in error.fix


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOENT, "check the path and its permissions"),
        (errno.EACCES, "correct its permissions"),
        (errno.EIO, "check that disk or network storage, and run again"),
        (errno.EMFILE, "raise the limit of open files (ulimit -n)"),
    ],
)
def test_a_file_that_cannot_be_read_is_not_blamed_for_the_disk(number: int, expected: str) -> None:
    assert os_errors.read_fix(refusal(number)) == expected


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO, errno.EPERM])
def test_a_file_system_without_locks_is_not_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, wait: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(StorageError, match="cannot be locked") as caught,
        storage.only_writer(tmp_path / "d", wait=wait),
    ):
        pass
    assert "another process" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EACCES])
def test_a_lock_that_is_held_is_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(BusyError, match="another process is writing"), storage.only_writer(tmp_path / "d"):
        pass


def test_an_error_that_nobody_expected_names_its_file_or_the_process() -> None:
    assert str(os_errors.explained(refusal(errno.ENOSPC), "a worker")) == (
        "/data/x: No space left on device: free space there, or choose another location"
    )
    nameless = os_errors.explained(OSError(errno.EMFILE, "Too many open files"), "a worker")
    assert str(nameless) == "a worker: Too many open files: raise the limit of open files (ulimit -n)"
    assert "no memory left" in str(os_errors.explained(MemoryError(), "a worker"))
