from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.peers.process_tree import cost_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

BUSY = "import time\nwhile time.process_time() < {seconds}: pass"


def python(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


@pytest.mark.full
def test_the_time_of_children_and_of_daemons_left_behind_counts(tmp_path: Path) -> None:
    daemon = f"import time; time.sleep(0.3)\n{BUSY.format(seconds=0.4)}"
    program = "\n".join(
        [
            "import subprocess, sys",
            f"subprocess.run([sys.executable, '-S', '-c', {BUSY.format(seconds=0.4)!r}])",
            f"subprocess.Popen([sys.executable, '-S', '-c', {daemon!r}], start_new_session=True)",
        ]
    )
    cost = cost_of(python(program), tmp_path / "run.log")
    assert 0.8 <= cost.cpu_seconds < 1.6


@pytest.mark.full
def test_the_time_of_children_that_nobody_waits_for_counts(tmp_path: Path) -> None:
    program = "\n".join(
        [
            "import signal, subprocess, sys, time",
            "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
            f"subprocess.Popen([sys.executable, '-S', '-c', {BUSY.format(seconds=2.0)!r}]).wait()",
        ]
    )
    assert 1.0 <= cost_of(python(program), tmp_path / "run.log").cpu_seconds < 3.0


@pytest.mark.full
def test_memory_is_the_sum_of_all_processes_at_one_moment(tmp_path: Path) -> None:
    child = "import time; block = bytearray(60_000_000); time.sleep(2.5)"
    program = "\n".join(
        [
            "import subprocess, sys",
            f"started = [subprocess.Popen([sys.executable, '-S', '-c', {child!r}]) for _ in range(2)]",
            "[process.wait() for process in started]",
        ]
    )
    cost = cost_of(python(program), tmp_path / "run.log")
    assert 120e6 < cost.peak_bytes < 200e6


def test_output_goes_to_its_file_and_messages_to_the_log(tmp_path: Path) -> None:
    program = "import sys; print('calls'); print('message', file=sys.stderr)"
    cost_of(python(program), tmp_path / "run.log", output=tmp_path / "out.gff3")
    assert (tmp_path / "out.gff3").read_text() == "calls\n"
    assert (tmp_path / "run.log").read_text() == "message\n"


def test_a_failed_command_is_an_error_that_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"status 3: see .*run\.log"):
        cost_of(python("raise SystemExit(3)"), tmp_path / "run.log")
