"""A node of `ray_nodes` that is lost while it works, and what Ray knows of its tasks and actors afterwards.

The node's workers are frozen before they are killed with it: what was in flight then has certainly not ended.
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

from tests.cluster.ray_nodes import BIN, Cluster, command_lines

PATIENCE_S = 240


def status(process: int) -> list[str]:
    """State, parent and what follows of a process, as Linux tells them."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def descendants(ancestor: int) -> list[int]:
    """Ids of all processes that one has started, and that those have."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int(status(int(folder.name))[1])
    found, wave = [], {ancestor}
    while wave:
        wave = {process for process, parent in parents.items() if parent in wave}
        found += sorted(wave)
    return found


def titles(node: int) -> dict[int, str]:
    """Of each worker of a node what Ray says that it does: `ray::` and a task or an actor's method, or IDLE."""
    within = set(descendants(node))
    named = {process: line[0] for process, line in command_lines() if process in within}
    return {process: name for process, name in named.items() if name.startswith("ray::") and "Agent" not in name}


def freeze(processes: list[int]) -> None:
    """Stop processes, and wait until they have."""
    send(processes, signal.SIGSTOP)
    for process in processes:
        with suppress(OSError):
            while status(process)[0] not in "TZX":
                time.sleep(0.001)


def send(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def caught_at(node: int, work: str, driver: subprocess.Popen[str]) -> str:
    """Freeze a node's workers at a moment when one of them does `work`; what Ray calls it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert driver.poll() is None, f"it ended before its node was lost: {driver.communicate()}"
        workers = [process for process, title in titles(node).items() if work in title]
        freeze(workers)
        if doing := [title for process, title in titles(node).items() if process in workers and work in title]:
            return doing[0]
        send(workers, signal.SIGCONT)
        time.sleep(0.02)
    raise AssertionError(f"no worker of the node did {work}: {titles(node)}")


def thaw(node: int) -> None:
    """Have a node's workers go on."""
    send(list(titles(node)), signal.SIGCONT)


def lose(cluster: Cluster, node: subprocess.Popen[bytes]) -> None:
    """Kill every process of a node at once: its raylet, its agents and its workers, frozen or not."""
    # Those that are stopped start no others while the rest are listed.
    send([node.pid, *descendants(node.pid)], signal.SIGSTOP)
    send([*descendants(node.pid), node.pid], signal.SIGKILL)
    node.wait()
    cluster.processes.remove(node)


def listed(cluster: Cluster, what: str) -> list[dict[str, Any]]:
    """Everything of a kind that Ray knows: nodes, actors, or tasks with each attempt at them."""
    options = ["--address", cluster.url, "--detail", "--format=json", "--limit=10000"]
    done = subprocess.run(
        [str(BIN / "ray"), "list", what, *options],
        env=cluster.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
