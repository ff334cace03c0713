from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipelines import storage
from pipelines.errors import InputError, StorageError, UsageError
from pipelines.inputs import spool as spool_module
from pipelines.inputs.spool import Spool, require_no_pipe


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAYGENE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "spool"


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool(lambda text: None) as opened:
        yield opened


@contextmanager
def pipe_with(data: bytes) -> Iterator[str]:
    """The path of a pipe that gives these bytes, as a shell names it for <(…)."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as stream, suppress(BrokenPipeError):
            stream.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
        writer.join()


def test_a_pipe_is_read_whole_into_a_file_of_its_name(spool: Spool) -> None:
    data = os.urandom(300_000)
    with pipe_with(data) as pipe:
        copy = Path(spool.file_of("--intervals", pipe))
    assert copy.read_bytes() == data
    assert copy.name == Path(pipe).name
    assert copy.read_bytes() == data


def test_the_files_are_private_and_are_removed_at_the_end(cache: Path) -> None:
    notes: list[str] = []
    with pipe_with(b"abc") as pipe, Spool(notes.append) as opened:
        copy = Path(opened.file_of("--fasta", pipe))
        assert next(cache.iterdir()).stat().st_mode & 0o777 == 0o700
    assert not list(cache.iterdir())
    assert not copy.exists()
    assert notes == [f"--fasta {pipe}: reading it once, into a file for this command", f"--fasta {pipe}: 3 bytes"]


def stop_after_reading(spool: Spool, pipe: str, error: type[BaseException]) -> None:
    spool.file_of("--fasta", pipe)
    raise error("stop")


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError, SystemExit])
def test_the_files_are_removed_after_an_error(cache: Path, error: type[BaseException]) -> None:
    with pipe_with(b"abc") as pipe, pytest.raises(error), Spool(lambda text: None) as opened:
        stop_after_reading(opened, pipe, error)
    assert not list(cache.iterdir())


def test_an_error_names_the_pipe_and_not_the_file(cache: Path) -> None:
    with pipe_with(b"abc") as pipe, pytest.raises(InputError, match=rf"^{pipe}: line 1: wrong: correct {pipe}$"):
        read_and_refuse(pipe)


def read_and_refuse(pipe: str) -> None:
    with Spool(lambda text: None) as opened:
        copy = opened.file_of("--fasta", pipe)
        raise InputError(f"{copy}: line 1: wrong", f"correct {copy}")


def test_what_a_killed_command_left_is_removed_and_what_a_running_one_reads_is_not(cache: Path) -> None:
    left = cache / "left"
    left.mkdir(parents=True)
    (left / ".lock").touch()
    (left / "63").write_bytes(b"abc")
    with pipe_with(b"abc") as first, pipe_with(b"xyz") as second, Spool(lambda text: None) as running:
        copy = Path(running.file_of("--fasta", first))
        assert not left.exists()
        with Spool(lambda text: None) as other:
            other.file_of("--fasta", second)
            assert copy.read_bytes() == b"abc"


def test_one_pipe_in_two_options_is_refused_and_in_one_option_read_once(spool: Spool) -> None:
    with pipe_with(b"abc") as pipe:
        copy = spool.file_of("--fasta", pipe)
        assert spool.file_of("--fasta", pipe) == copy
        with pytest.raises(UsageError, match=rf"--intervals {pipe}: the same pipe as --fasta, and it can be read only"):
            spool.file_of("--intervals", pipe)


def test_a_named_pipe_is_read_like_another(spool: Spool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "genome.fa")
    writer = threading.Thread(target=(tmp_path / "genome.fa").write_bytes, args=(b">a\nAC\n",))
    writer.start()
    copy = Path(spool.file_of("--fasta", str(tmp_path / "genome.fa")))
    writer.join()
    assert copy.name == "genome.fa"
    assert copy.read_bytes() == b">a\nAC\n"


@pytest.mark.parametrize("make", [lambda path: path.write_bytes(b"a"), Path.mkdir, lambda path: None])
def test_a_file_a_directory_and_what_does_not_exist_are_left_alone(
    spool: Spool, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "a")
    assert spool.file_of("--fasta", str(tmp_path / "a")) == str(tmp_path / "a")
    assert require_no_pipe("--fasta", str(tmp_path / "a"), "") == str(tmp_path / "a")
    assert spool.file_of("--fasta", "s3://bucket/a") == "s3://bucket/a"
    assert spool.file_of("--exclude", "/dev/null") == "/dev/null"


def test_a_file_that_is_named_by_a_number_of_this_process_gets_its_own_name(spool: Spool, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with (tmp_path / "a").open("rb") as stream:
        assert spool.file_of("--fasta", f"/dev/fd/{stream.fileno()}") == str(tmp_path / "a")
        (tmp_path / "a").unlink()
        # Shells remove the file of a here-document before the command starts.
        assert Path(spool.file_of("--fasta", f"/dev/fd/{stream.fileno()}")).read_bytes() == b"abc"


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_standard_input_that_is_closed_is_refused(spool: Spool, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # As Python has it after `<&-`; descriptor 0 may be a pipe of this process by now, which never ends.
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match=f"--intervals {name}: standard input is closed"):
        spool.file_of("--intervals", name)


def test_devices_and_sockets_are_refused(spool: Spool, tmp_path: Path) -> None:
    for device in ("/dev/zero", "/dev/urandom"):
        with pytest.raises(UsageError, match=f"--fasta {device}: is a device"):
            spool.file_of("--fasta", device)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(UsageError, match="s: is a socket"):
            spool.file_of("--fasta", str(tmp_path / "s"))


def test_a_pipe_without_end_is_refused(spool: Spool, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MAX_BYTES", 10_000_000)
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout is not None
        with pytest.raises(InputError, match=r"--fasta /dev/fd/.*: does not end after"):
            spool.file_of("--fasta", f"/dev/fd/{endless.stdout.fileno()}")
        endless.kill()


def test_a_pipe_that_would_fill_the_disk_is_refused(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "RESERVE", 1 << 60)
    monkeypatch.setattr(storage, "RESERVED_SHARE", 1.0)
    with (
        pipe_with(b"abc") as pipe,
        pytest.raises(StorageError, match=r"[0-9] [MGT]iB are free, too few for reading --fasta"),
    ):
        spool.file_of("--fasta", pipe)
