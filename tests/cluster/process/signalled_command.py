"""A command as a process of its own, which tells where it is, and what it shows when it gets a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cluster.process import signals

ROOT = Path(__file__).parents[3]
NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
SAYS = {
    signal.SIGINT: "raygene: interrupted",
    signal.SIGTERM: "raygene: interrupted by SIGTERM",
    signal.SIGHUP: "raygene: interrupted by SIGHUP",
}

PROGRAM = """
import sys
from pathlib import Path
import cluster.cli

PLACE = Path(sys.argv[1])

def step(name):
    PLACE.write_text(name)

{program}
experiment = PLACE.with_name("experiment.yaml")
experiment.write_text("training: {{epochs: 1}}")
sys.argv = ["raygene", "build", str(experiment), "--output", str(PLACE.with_name("data"))]
sys.exit(cluster.cli.main())
"""
"""A command whose verb is replaced: it tells where it is in a file."""
VERB = """
import cluster.verbs.build as verb
def run(context):
{body}
verb.run = run
"""


def start(
    tmp_path: Path, program: str, *, ignored: signal.Signals | None = None, stderr: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start a command, and wait until it has come to its first step."""
    script, place = tmp_path / "command.py", tmp_path / "step"
    script.write_text(PROGRAM.format(program=program))

    def set_handlers() -> None:
        for number in NUMBERS:
            signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

    process = subprocess.Popen(
        [sys.executable, str(script), str(place)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        preexec_fn=set_handlers,
    )
    wait_for(place)
    return process


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path.read_text()


def verb(body: str) -> str:
    return VERB.format(body="".join(f"    {line}\n" for line in body.strip().splitlines()))


def one_line(process: subprocess.Popen[str], number: signal.Signals) -> str:
    _, errors = process.communicate(timeout=60)
    # Where the end takes longer, as on a busy machine, another line says first that the signal was heard.
    *answer, line = errors.splitlines()
    assert answer in ([], [f"raygene: {signals.ANSWER}"])
    assert process.returncode == 128 + number
    assert line.startswith(SAYS[number])
    return line
