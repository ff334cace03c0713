from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.process import children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
NAMES = ["sleep", "a) (b 1", "x"]
# A shell says the number of a job as soon as it has forked; Popen returns once the program is the new one.
PARENT = """
import subprocess
with subprocess.Popen(["sleep", "60"]) as process:
    print(process.pid, flush=True)
"""


def test_the_descendants_of_a_process_are_those_of_its_children_too() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        sleeping = int(parent.stdout.readline())
        names = children.descendants()
        assert parent.pid in names
        assert names[sleeping] == "sleep"
        assert children.descendants(parent.pid) == {sleeping: "sleep"}
        assert children.descendants(sleeping) == {}
        assert children.is_running(sleeping)
        first, second = children.status(parent.pid), children.status(sleeping)
        assert first is not None
        assert second is not None
        assert (second.name, second.parent) == ("sleep", parent.pid)
        assert first.state in "RS"
        assert first.started <= second.started
        assert children.is_running(parent.pid)
        os.kill(sleeping, 9)
    assert not children.is_running(parent.pid)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_blanks_and_brackets_is_read_whole(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as process:
        try:
            assert children.descendants()[process.pid] in {name, "coreutils"}
        finally:
            process.kill()


def test_a_process_that_has_ended_and_is_not_waited_for_is_not_running() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not children.is_running(process.pid)
    assert process.pid not in children.descendants()
    process.wait()
