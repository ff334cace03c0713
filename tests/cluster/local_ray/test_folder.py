from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from cluster.local_ray import folder
from cluster.local_ray.folder import MARKER, remove_ended, run_folder, runs
from pipelines.errors import ResourceError

HOLD = """
import os, sys, time
from cluster.local_ray.folder import run_folder
with run_folder({"RAY_TMPDIR": sys.argv[1]}) as folder:
    (folder / "session_1").mkdir()
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def parent() -> Iterator[Path]:
    """A directory of a short path: sockets have to fit."""
    directory = Path(tempfile.mkdtemp(prefix="g", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def environment(parent: Path) -> dict[str, str]:
    return {"RAY_TMPDIR": str(parent)}


def killed_run(parent: Path) -> Path:
    """The folder of a run that was killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    path = Path(process.stdout.readline().strip())
    process.send_signal(signal.SIGKILL)
    process.wait()
    return path


def test_the_folder_is_for_its_user_alone_and_gone_afterwards(environment: dict[str, str]) -> None:
    with run_folder(environment) as path:
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "session_1").mkdir()
        (path / "session_latest").symlink_to(path / "session_1")
    assert not path.exists()


def test_a_folder_that_is_kept_for_its_logs_is_removed_by_the_next_run(environment: dict[str, str]) -> None:
    with run_folder(environment, keep=True) as path:
        (path / "log").write_text("text")
    assert (path / "log").exists()
    with run_folder(environment):
        assert not path.exists()


def test_the_folder_of_a_killed_run_is_removed_by_the_next_run(parent: Path, environment: dict[str, str]) -> None:
    path = killed_run(parent)
    assert path.exists()
    with run_folder(environment):
        assert not path.exists()


def test_the_folder_of_a_living_run_stays(environment: dict[str, str]) -> None:
    with run_folder(environment) as living, run_folder(environment) as other:
        assert living.exists()
        assert other != living
        assert [run.lives for run in runs(environment)] == [True, True]


def test_the_folder_of_a_killed_run_stays_while_a_process_of_it_lives(parent: Path) -> None:
    path = killed_run(parent)
    with subprocess.Popen(["sleep", "60"], stdout=(path / "log").open("w")) as daemon:
        remove_ended(parent)
        assert path.exists()
        daemon.kill()
    remove_ended(parent)
    assert not path.exists()


def test_another_run_that_has_the_process_id_of_the_killed_one_does_not_keep_its_folder(parent: Path) -> None:
    path = killed_run(parent)
    marker = json.loads((path / MARKER).read_text())
    (path / MARKER).write_text(json.dumps(marker | {"pid": os.getpid()}))
    remove_ended(parent)
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "is_removed"),
    [
        ({"boot": "earlier"}, True),
        ({"boot": "elsewhere", "host": "another"}, False),
    ],
)
def test_a_folder_of_an_earlier_boot_is_removed_and_one_of_another_machine_stays(
    parent: Path, change: dict[str, str], is_removed: bool
) -> None:
    path = killed_run(parent)
    (path / MARKER).write_text(json.dumps(json.loads((path / MARKER).read_text()) | change))
    remove_ended(parent)
    assert path.exists() != is_removed


def test_folders_that_raygene_did_not_make_or_others_can_enter_stay(parent: Path) -> None:
    foreign = parent / "raygene-mine"
    foreign.mkdir(mode=0o700)
    (foreign / "results.tsv").write_text("1")
    damaged = killed_run(parent)
    (damaged / MARKER).write_text("{")
    opened = killed_run(parent)
    opened.chmod(0o755)
    ray = parent / "ray"
    ray.mkdir()
    remove_ended(parent)
    assert all(path.exists() for path in (foreign / "results.tsv", damaged, opened, ray))


def test_several_starts_at_once_remove_it_once(parent: Path, environment: dict[str, str]) -> None:
    path = killed_run(parent)
    start = HOLD.replace("sleep(60)", "sleep(0)")
    starts = [subprocess.Popen([sys.executable, "-c", start, str(parent)]) for _ in range(4)]
    assert [process.wait() for process in starts] == [0, 0, 0, 0]
    assert not path.exists()
    assert runs(environment) == []


def test_a_run_that_ends_and_removes_its_folder_while_another_starts_is_no_error(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_folder(environment)
    path = first.__enter__()
    opened = json.load

    def after_the_end_of_the_first(stream: IO[str]) -> Any:
        content = opened(stream)
        if path.exists():
            first.__exit__(None, None, None)
        return content

    monkeypatch.setattr(folder.json, "load", after_the_end_of_the_first)
    with run_folder(environment) as second:
        assert not path.exists()
        assert second.exists()


def test_the_temporary_directory_of_the_environment_is_used_unless_its_path_is_too_long(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_folder({"TMPDIR": str(parent)}) as path:
        assert path.parent == parent
    long = parent / ("long" * 10)
    long.mkdir()
    with run_folder({"TMPDIR": str(long)}) as path:
        assert path.parent == Path("/tmp")
    monkeypatch.setattr(folder, "_ENOUGH_BYTES", 1 << 60)
    with pytest.raises(ResourceError, match=r"no folder for Ray's files \(.*[MGT]iB free.*\): set RAY_TMPDIR"):
        run_folder({"TMPDIR": str(parent)}).__enter__()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("missing", "No such file or directory"), ("file", "Not a directory"), ("long" * 10, "bytes too long")],
)
def test_a_directory_that_was_chosen_and_is_unfit_is_named(parent: Path, name: str, expected: str) -> None:
    (parent / "file").write_text("")
    with pytest.raises(ResourceError, match=rf"no folder for Ray's files \({parent / name}.*{expected}"):
        run_folder({"RAY_TMPDIR": str(parent / name)}).__enter__()


def test_the_longest_directory_leaves_room_for_sockets() -> None:
    session = "session_2026-11-28_17-35-13_028786_4194304"
    assert folder.LONGEST + len(f"/raygene-12345678/r/{session}/sockets/plasma_store") == 107
