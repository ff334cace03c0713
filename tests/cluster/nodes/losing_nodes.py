"""Kills a node of `ray_nodes` while it works, and lists the tasks and actors that Ray records afterwards.

The node's workers are suspended before they are killed with it, so that the work in progress has certainly not ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from cluster.process.children import descendants
from tests.cluster.nodes.ray_nodes import BIN, Cluster, command_lines

TIMEOUT_S = 600


def status(process: int) -> list[str]:
    """State, parent and the later fields of `/proc/PID/stat` (proc(5))."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def worker_titles(node: int) -> dict[int, str]:
    """The process title of each worker of a node: `ray::` and its task or actor method, or `ray::IDLE`."""
    processes = descendants(node)
    titles = {process: line[0] for process, line in command_lines() if process in processes}
    return {process: title for process, title in titles.items() if title.startswith("ray::") and "Agent" not in title}


def suspend(processes: list[int]) -> None:
    """Suspend processes, and wait until they do not run any more."""
    send_signal(processes, signal.SIGSTOP)
    for process in processes:
        with suppress(OSError):
            while status(process)[0] not in "TZX":
                time.sleep(0.001)


def send_signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def suspend_during(node: int, work: str, driver: subprocess.Popen[str]) -> str:
    """Suspend the workers of a node that do some work, at a moment when there is one; return its title.

    Args:
        node: process id of `ray start`.
        work: part of the title of the worker.
        driver: the process of the verb, which must not end before.
    """
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        assert driver.poll() is None, f"it ended before its node was lost: {driver.communicate()}"
        workers = [process for process, title in worker_titles(node).items() if work in title]
        suspend(workers)
        # A worker may have ended its task just before it was suspended.
        if working := [title for process, title in worker_titles(node).items() if process in workers and work in title]:
            return working[0]
        send_signal(workers, signal.SIGCONT)
        time.sleep(0.02)
    raise AssertionError(f"no worker of the node did {work}: {worker_titles(node)}")


def resume(node: int) -> None:
    """Let the workers of a node continue."""
    send_signal(list(worker_titles(node)), signal.SIGCONT)


def kill_node(cluster: Cluster, node: subprocess.Popen[bytes]) -> None:
    """Kill every process of a node at once: its raylet, its agents and its workers, suspended or not."""
    # A suspended process starts no others while the rest are listed.
    send_signal([node.pid, *descendants(node.pid)], signal.SIGSTOP)
    send_signal([*descendants(node.pid), node.pid], signal.SIGKILL)
    node.wait()
    cluster.processes.remove(node)


def list_records(cluster: Cluster, kind: str) -> list[dict[str, Any]]:
    """All of Ray's records of a kind: `nodes`, `actors`, or `tasks` with a record for each attempt."""
    options = ["--address", cluster.url, "--detail", "--format=json", "--limit=10000"]
    done = subprocess.run(
        [str(BIN / "ray"), "list", kind, *options],
        env=cluster.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    records: list[dict[str, Any]] = json.loads(done.stdout)
    return records
