"""CPU seconds and peak memory of a command with everything that it starts, daemons too (Linux).

    python benchmarks/peers/process_tree.py RESULT.json COMMAND [ARGUMENT …]

A process that is left by its parent would be counted by nobody. This one adopts all that its command leaves behind
(`PR_SET_CHILD_SUBREAPER`), waits for each, and adds up what `wait4` says of it: user and system time with that of the
children that it waited for. Memory is the sum of the proportional set sizes (PSS) of all processes at one moment, so
that pages which several share count once; the largest of such sums, taken every 0.5 s, is the peak.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_FOR_WHAT_IS_LEFT = 30.0
MEASURED_CHILD = [sys.executable, str(Path(__file__).resolve())]


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes:
        cpu_seconds: user and system time of all processes.
        seconds: from its start to its end.
        peak_bytes: the largest sum of proportional set sizes.
        status: its exit status; minus the signal's number if one ended it.
    """

    cpu_seconds: float
    seconds: float
    peak_bytes: int
    status: int


def cost_of(
    command: list[str], log: Path, environment: dict[str, str] | None = None, output: Path | None = None
) -> Cost:
    """Run a command and measure it.

    Args:
        command: program and arguments.
        log: file of its messages (stderr, and stdout without `output`).
        environment: variables to set for it.
        output: file of its stdout.

    Raises:
        RuntimeError: it failed; names the log.
    """
    result = log.with_suffix(".cost.json")
    result.unlink(missing_ok=True)
    with log.open("wb") as messages, (output or log).open("wb" if output else "ab") as stream:
        subprocess.run(
            [*MEASURED_CHILD, str(result), *command],
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=messages,
            check=False,
        )
    if not result.exists():
        raise RuntimeError(f"{command[0]} was stopped before it ended: see {log}")
    cost = Cost(**json.loads(result.read_text()))
    if cost.status:
        raise RuntimeError(f"{command[0]} ended with status {cost.status}: see {log}")
    return cost


def parents() -> dict[int, int]:
    """The parent of every process."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    return found


def descendants(root: int) -> list[int]:
    """All processes below one."""
    children: dict[int, list[int]] = {}
    for process, parent in parents().items():
        children.setdefault(parent, []).append(process)
    below = list(children.get(root, []))
    for process in below:
        below += children.get(process, [])
    return below


def proportional_bytes(process: int) -> int:
    """Proportional set size of a process; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def kill(processes: list[int]) -> None:
    """End processes at once; some may have ended."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def measure(command: list[str]) -> Cost:
    """Run a command as a child of this process, and wait for it and for all that it leaves behind.

    What is left of it after half a minute is killed.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this kernel has no PR_SET_CHILD_SUBREAPER")
    began = time.monotonic()
    main = subprocess.Popen(command).pid
    cpu, peak, status, ended = 0.0, 0, 0, 0.0
    while True:
        try:
            process, code, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if process:
            cpu += usage.ru_utime + usage.ru_stime
            if process == main:
                status, ended = os.waitstatus_to_exitcode(code), time.monotonic()
            continue
        below = descendants(os.getpid())
        peak = max(peak, sum(map(proportional_bytes, below)))
        if ended and time.monotonic() > ended + SECONDS_FOR_WHAT_IS_LEFT:
            kill(below)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return Cost(round(cpu, 2), round(ended - began, 2), peak, status)


def main() -> None:
    """Measure the command of the command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    result, *command = sys.argv[1:]
    try:
        cost = measure(command)
    finally:
        kill(descendants(os.getpid()))
    Path(result).write_text(json.dumps(asdict(cost)))


if __name__ == "__main__":
    main()
