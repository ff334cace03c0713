"""Command lines in processes of their own, to be killed at moments that a test waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cluster.process import children

LIMIT_S = 600
PUSH_S = 1.0
"""Seconds between two looks at what has changed in an output at an address: short, for commands that last seconds."""
_START = f"""
import sys
from cluster.paths import stored_outputs
from raygene.__main__ import main
stored_outputs.PUSH_S = {PUSH_S}
sys.exit(main())
"""


class Command:
    """A command line of raygene that has been started."""

    def __init__(self, *line: str | Path) -> None:
        root = str(Path(__file__).parents[2])
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, *(str(word) for word in line)],
            env=environment,
            text=True,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def finish(self) -> tuple[str, str]:
        """What it wrote to the screen, and what to the other stream; it must end well."""
        return finish(self.process)

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, which must hold before the command ends."""
        wait_until(condition, self.process)

    def kill(self) -> None:
        """SIGKILL to the driver alone, as the system does where memory runs out."""
        kill(self.process)

    def kill_ray(self) -> str:
        """SIGKILL to the raylet and the head's service of its local Ray; what it says then, as it ends."""
        started = children.descendants(self.process.pid)
        victims = [process for process, name in started.items() if name in ("raylet", "gcs_server")]
        assert len(victims) == 2
        for process in victims:
            os.kill(process, signal.SIGKILL)
        return self.process.communicate(timeout=LIMIT_S)[1]


def finish(process: subprocess.Popen[str], limit_s: float = LIMIT_S) -> tuple[str, str]:
    """What a process wrote to the screen, and what to the other stream; it must end well."""
    output, errors = process.communicate(timeout=limit_s)
    assert process.returncode == 0, errors[-3000:]
    return output, errors


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str], limit_s: float = LIMIT_S) -> None:
    """Wait for a condition, which must hold before a process ends."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL to a process alone, and the end of its output."""
    process.kill()
    process.communicate(timeout=60)


def run(*line: str | Path) -> tuple[str, str]:
    """Run a command line to its end."""
    return Command(*line).finish()
