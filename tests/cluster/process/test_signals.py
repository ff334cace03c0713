"""Signals to commands, which are processes of their own: one line and a defined status, whatever they are doing."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.process import signals
from tests.cluster.process.signalled_command import NUMBERS, ROOT, SAYS, one_line, start, verb, wait_for

LOADING = """
import cluster.options.former_commands
def wait(*arguments):
    step("loading")
    import time
    time.sleep(60)
cluster.cli.require_current = wait
"""
WAITING = """
import time
step("working")
time.sleep(60)
"""
SWALLOWING = """
import time
class Swallows:
    def __del__(self):
        step("working")
        time.sleep(60)
def hide():
    Swallows()
hide()
time.sleep(60)
"""
CATCHING = """
import time
step("working")
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
"""
SHUTTING_DOWN = """
import time
step("working")
try:
    time.sleep(60)
finally:
    step("ending")
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("program", "number"),
    [
        (LOADING, signal.SIGINT),
        *(pytest.param(LOADING, number, marks=pytest.mark.full) for number in (signal.SIGTERM, signal.SIGHUP)),
        *((verb(WAITING), number) for number in NUMBERS),
    ],
    ids=[f"while {what}-{number}" for what in ("modules load", "the verb works") for number in NUMBERS],
)
def test_a_signal_is_one_line_and_128_plus_its_number(tmp_path: Path, program: str, number: signal.Signals) -> None:
    process = start(tmp_path, program)
    process.send_signal(number)
    is_begun = program != LOADING
    expected = (
        "nothing was finished yet, and the same command starts again" if is_begun else "before anything was begun"
    )
    assert one_line(process, number).endswith(expected)


def test_a_signal_before_the_command_is_imported_is_one_line(tmp_path: Path) -> None:
    script, place = tmp_path / "early.py", tmp_path / "step"
    script.write_text(
        "import sys, time\nfrom pathlib import Path\nfrom cluster.process.start import handle_signals\n"
        f"handle_signals()\nPath({str(place)!r}).write_text('loading')\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    wait_for(place)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[1] == "raygene: interrupted by SIGTERM before anything was begun\n"
    assert process.returncode == 143


def test_an_end_that_takes_a_while_is_answered_first(tmp_path: Path) -> None:
    slow = SHUTTING_DOWN.replace('step("ending")\n    time.sleep(60)', "time.sleep(1.5)")
    process = start(tmp_path, verb(slow))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    answer, line = errors.splitlines()
    assert answer == f"raygene: {signals.ANSWER}"
    assert line.startswith(SAYS[signal.SIGINT])


def test_a_verb_that_says_itself_that_it_saves_is_answer_enough(tmp_path: Path) -> None:
    telling = """
import time
step("working")
try:
    time.sleep(60)
finally:
    context.terminal.note("saving")
    time.sleep(1.5)
"""
    process = start(tmp_path, verb(telling))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert [line.split(";")[0] for line in errors.splitlines()] == ["saving", "raygene: interrupted"]


def test_a_second_signal_ends_a_command_that_is_still_saving(tmp_path: Path) -> None:
    process = start(tmp_path, verb(SHUTTING_DOWN))
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 30
    while (tmp_path / "step").read_text() != "ending":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(1.2)
    process.send_signal(signal.SIGINT)
    one_line(process, signal.SIGTERM)


def test_code_that_never_returns_to_python_ends_at_the_deadline(tmp_path: Path) -> None:
    waiting = """
import ctypes
from cluster.process import signals
signals._state.deadline_s = 1.0
mutex, lock = ctypes.create_string_buffer(64), ctypes.CDLL(None).pthread_mutex_lock
lock(mutex)
step("working")
lock(mutex)
"""
    process = start(tmp_path, verb(waiting))
    process.send_signal(signal.SIGTERM)
    one_line(process, signal.SIGTERM)


def test_a_signal_sent_twice_at_once_is_one_request(tmp_path: Path) -> None:
    saving = SHUTTING_DOWN.replace('step("ending")\n    time.sleep(60)', 'time.sleep(0.5)\n    step("saved")')
    process = start(tmp_path, verb(saving))
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in {130, 143}
    assert sum(line.startswith("raygene: interrupted") for line in errors.splitlines()) == 1
    assert (tmp_path / "step").read_text() == "saved"


def test_an_interrupt_that_python_drops_is_raised_again(tmp_path: Path) -> None:
    patient = "import cluster.process.signals as signals\nsignals._state.deadline_s = 600.0\n"
    process = start(tmp_path, verb(patient + SWALLOWING))
    process.send_signal(signal.SIGTERM)
    one_line(process, signal.SIGTERM)


def test_code_that_swallows_every_interrupt_ends_at_the_deadline(tmp_path: Path) -> None:
    quick = "import cluster.process.signals as signals\nsignals._state.deadline_s = 1.0\n"
    process = start(tmp_path, verb(quick + CATCHING))
    process.send_signal(signal.SIGTERM)
    one_line(process, signal.SIGTERM)


def test_an_interrupt_that_becomes_another_error_is_still_an_interrupt(tmp_path: Path) -> None:
    converting = """
try:
    import time
    step("working")
    time.sleep(60)
except BaseException:
    raise SystemError("returned a result with an exception set")
"""
    process = start(tmp_path, verb(converting))
    process.send_signal(signal.SIGTERM)
    one_line(process, signal.SIGTERM)


def test_a_handler_of_a_library_does_not_replace_ours_while_ray_starts(tmp_path: Path) -> None:
    starting = """
import signal, sys, time
from cluster.process import signals
with signals.kept_handlers():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
    step("working")
    time.sleep(60)
"""
    process = start(tmp_path, verb(starting))
    process.send_signal(signal.SIGTERM)
    one_line(process, signal.SIGTERM)


def test_a_handler_that_a_library_sets_in_c_while_ray_starts_is_replaced(tmp_path: Path) -> None:
    started = """
import ctypes, signal, time
from cluster.process import signals
with signals.kept_handlers():
    ctypes.CDLL(None).signal(int(signal.SIGTERM), None)
step("working")
time.sleep(60)
"""
    process = start(tmp_path, verb(started))
    process.send_signal(signal.SIGTERM)
    one_line(process, signal.SIGTERM)


BAR = """
import time
with context.terminal.stage("moving", 10, unit="steps") as stage:
    stage.advance()
    time.sleep(0.3)
    step("working")
    time.sleep(60)
"""


def test_a_signal_while_a_bar_moves_is_shown_on_the_terminal(tmp_path: Path) -> None:
    own, its = pty.openpty()
    process = start(tmp_path, verb(BAR), stderr=its)
    os.close(its)
    process.send_signal(signal.SIGINT)
    written = b""
    # On Linux the end of a terminal is an error.
    with suppress(OSError):
        while piece := os.read(own, 65536):
            written += piece
    assert process.wait(timeout=60) == 130
    assert "interrupted; nothing was finished yet" in written.decode()
    os.close(own)


def test_processes_of_a_command_end_with_it_whoever_their_parent_is(tmp_path: Path) -> None:
    starting = """
import subprocess, time
shell = "sleep 300 & echo $!; (sleep 301 & echo $!) ; exit"
done = subprocess.run(["sh", "-c", shell], stdout=open({path!r}, "w"))
step("working")
time.sleep(60)
""".format(path=str(tmp_path / "pids"))
    process = start(tmp_path, verb(starting))
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    process.send_signal(signal.SIGTERM)
    one_line(process, signal.SIGTERM)
    assert not any("sleep" in command(pid) for pid in pids)


def command(pid: int) -> str:
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_text() if path.exists() else ""


def test_a_signal_after_the_work_is_done_changes_nothing(tmp_path: Path) -> None:
    finalising = (
        verb("pass")
        + """
import atexit, time
def wait():
    step("finalising")
    time.sleep(1)
atexit.register(wait)
"""
    )
    process = start(tmp_path, finalising)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_ignored_signal_stays_ignored_as_nohup_and_background_jobs_ask(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = start(tmp_path, verb("import time\nstep('working')\ntime.sleep(1)"), ignored=number)
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 0
