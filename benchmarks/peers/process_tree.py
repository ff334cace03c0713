"""CPU seconds and peak memory of a command with everything that it starts, daemons too (Linux).

    python benchmarks/peers/process_tree.py RESULT.json COMMAND [ARGUMENT …]

A process that is left by its parent would be counted by nobody. This one adopts all that its command leaves behind
(`PR_SET_CHILD_SUBREAPER`), waits for each, and adds up what `wait4` says of it: user and system time with that of the
children that it waited for. A process that ignores SIGCHLD waits for none, as Ray's raylet does. What its children take
that end before it is in no such sum, and what was last seen of each is added. Memory is the sum of the proportional set
sizes (PSS) of all processes at one moment, so that pages which several share count once; the largest of such sums is
the peak. Looks are 0.5 s apart.
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


@dataclass(frozen=True)
class ProcessState:
    """A process at one moment.

    Attributes:
        parent: its parent.
        began: when it started, in ticks since the machine did; with the number it names a process.
        cpu_seconds: its own and those of the children that it waited for.
        waits: whether its children leave their CPU seconds to it.
    """

    parent: int
    began: int
    cpu_seconds: float
    waits: bool


def look(process: int) -> ProcessState | None:
    """A process as it is now; None if it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    ignored = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")), 16)
    seconds = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return ProcessState(int(fields[1]), int(fields[19]), seconds, not ignored >> (signal.SIGCHLD - 1) & 1)


class Unwaited:
    """The CPU seconds of processes that nobody waited for."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], float] = {}

    def add(self, processes: list[int]) -> None:
        """Look at all processes of a tree."""
        now = {process: seen for process in processes if (seen := look(process))}
        for process, seen in now.items():
            if seen.parent in now and not now[seen.parent].waits:
                self._seen[process, seen.began] = seen.cpu_seconds

    def waited_for(self, process: int) -> None:
        """Forget a process, whose seconds are known from waiting for it."""
        if of_process := [key for key in self._seen if key[0] == process]:
            del self._seen[max(of_process, key=lambda key: key[1])]

    @property
    def cpu_seconds(self) -> float:
        """As last seen."""
        return sum(self._seen.values())


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
    cpu, peak, status, ended, unwaited = 0.0, 0, 0, 0.0, Unwaited()
    while True:
        try:
            process, code, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if process:
            cpu += usage.ru_utime + usage.ru_stime
            unwaited.waited_for(process)
            if process == main:
                status, ended = os.waitstatus_to_exitcode(code), time.monotonic()
            continue
        below = descendants(os.getpid())
        unwaited.add(below)
        peak = max(peak, sum(map(proportional_bytes, below)))
        if ended and time.monotonic() > ended + SECONDS_FOR_WHAT_IS_LEFT:
            kill(below)
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return Cost(round(cpu + unwaited.cpu_seconds, 2), round(ended - began, 2), peak, status)


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
