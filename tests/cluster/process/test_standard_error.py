"""What commands write to standard error while Ray starts, and after a signal."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.cluster.process.signalled_command import SAYS, one_line, start, verb

STARTING = """
import os, sys, time
from cluster.process import signals
with signals.standard_error_kept():
    os.write(2, b"of others\\n")
    print("ours", file=sys.stderr)
    {during}
os.write(2, b"later\\n")
print("ours too", file=sys.stderr)
return 0
"""


def test_only_we_write_to_standard_error_while_ray_starts(tmp_path: Path) -> None:
    process = start(tmp_path, 'step("began")\n' + verb(STARTING.format(during="pass")))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.splitlines() == ["ours", "later", "ours too"]


FILTERED = """
import os, re, sys
from cluster.process import signals
with signals.standard_error_filtered(re.compile("harmless")):
    os.write(2, b"a harmless line\\nof others\\n")
    print("ours", file=sys.stderr)
    {during}
print("ours too", file=sys.stderr)
return 0
"""


def test_only_harmless_lines_of_others_are_left_out(tmp_path: Path) -> None:
    process = start(tmp_path, 'step("began")\n' + verb(FILTERED.format(during="pass")))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.splitlines() == ["ours", "of others", "ours too"]


def test_a_signal_while_lines_are_held_back_is_shown(tmp_path: Path) -> None:
    process = start(tmp_path, verb(FILTERED.format(during='step("working"); import time; time.sleep(60)')))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "harmless" not in errors
    assert errors.splitlines()[-1].startswith(SAYS[signal.SIGTERM])


def test_a_signal_while_only_we_write_is_shown(tmp_path: Path) -> None:
    process = start(tmp_path, verb(STARTING.format(during='step("working"); time.sleep(60)')))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    ours, *_, line = errors.splitlines()
    assert ours == "ours"
    assert line.startswith(SAYS[signal.SIGTERM])


def test_what_others_write_after_a_signal_is_not_shown(tmp_path: Path) -> None:
    noisy = """
import os, threading, time
def fail():
    time.sleep(0.5)
    os.write(2, b"E0000 core_worker.cc: lost connection\\n")
    raise RuntimeError("lost connection")
threading.Thread(target=fail).start()
step("working")
try:
    time.sleep(60)
finally:
    time.sleep(1)
"""
    process = start(tmp_path, verb(noisy))
    process.send_signal(signal.SIGINT)
    one_line(process, signal.SIGINT)


def test_a_closed_standard_error_costs_the_line_and_not_the_status(tmp_path: Path) -> None:
    process = start(tmp_path, verb("import os, time\nos.close(2)\nstep('working')\ntime.sleep(60)"))
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 129
