from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.process import children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
ROOT = Path(__file__).parents[3]
COMMAND = """
import os, subprocess, sys, time
from cluster.process.watchdog import ends_orphans
with ends_orphans("RUN", sys.argv[1]):
    # As Ray's workers are: in a session of their own, and deaf to the end of their parent.
    child = subprocess.Popen(["sleep", "60"], env={"RUN": sys.argv[1]}, start_new_session=True)
    other = subprocess.Popen(["sleep", "60"], env={"RUN": sys.argv[1] + "x"}, start_new_session=True)
    print(child.pid, other.pid, flush=True)
    if sys.argv[2:] == ["killed"]:
        time.sleep(60)
print("ended", flush=True)
"""


WITHOUT_ENVIRONMENT = """
import shutil, subprocess, sys, time
from pathlib import Path
from cluster.process.watchdog import ends_orphans
with ends_orphans("RUN", sys.argv[1]):
    # As Ray's agents are: what /proc shows of their environment is overwritten, and they keep their logs open.
    with Path(sys.argv[1], "agent.log").open("w") as log:
        options = {"env": {}, "stdout": log, "start_new_session": True}
        child = subprocess.Popen(["ray::Agent", "60"], executable=shutil.which("sleep"), **options)
        reader = subprocess.Popen(["sleep", "60"], **options)
    print(child.pid, reader.pid, flush=True)
    time.sleep(60)
"""


def start(value: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, value, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def require_end(process: int) -> None:
    deadline = time.monotonic() + 30
    while children.is_running(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not children.is_running(process)


def test_after_a_kill_of_the_command_its_processes_are_killed_and_no_others() -> None:
    with start(f"/run/{os.getpid()}", "killed") as command:
        assert command.stdout is not None
        child, other = map(int, command.stdout.readline().split())
        command.kill()
        require_end(child)
        assert children.is_running(other)
        os.kill(other, 9)


def test_after_a_kill_of_the_command_its_agents_are_known_by_their_open_files(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", WITHOUT_ENVIRONMENT, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as command:
        assert command.stdout is not None
        child, reader = map(int, command.stdout.readline().split())
        command.kill()
        require_end(child)
        assert children.is_running(reader)
        os.kill(reader, 9)


def test_a_command_that_ends_by_itself_leaves_no_watchdog() -> None:
    with start(f"/run/{os.getpid()}-ends") as command:
        assert command.stdout is not None
        child, other = map(int, command.stdout.readline().split())
        assert command.stdout.readline() == "ended\n"
        os.kill(child, 9)
        os.kill(other, 9)
        assert command.wait() == 0
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"watchdog.py" in line and f"{os.getpid()}-ends".encode() in line for line in lines)
