"""Real Ray nodes for one test module: a head with token authentication on loopback, and further nodes that join it.

Every node is a process group of its own, and only its processes are ended: other Ray on the machine is left alone.
Nodes do not have the checkout on their path, so that a job runs the code that was sent to it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[3]
START_S = 90
# Otherwise the workers of all nodes of a machine, of other Ray too, want the same ports.
FREE_WORKER_PORTS = ("--min-worker-port=0", "--max-worker-port=0")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Cluster:
    """A head and the nodes that have joined it.

    Attributes:
        gcs, dashboard: ports of the head.
        token: file with the token that clients need.
        folder: logs and working directory of the nodes.
        scratch: Ray's own temporary directory.
        processes: of `ray start`, the head's first.
    """

    gcs: int
    dashboard: int
    token: Path
    folder: Path
    scratch: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.gcs}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.dashboard}"

    def environment(self, **extra: str) -> dict[str, str]:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith("RAY_") and name != "PYTHONPATH"
        }
        return {
            **clean,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Workers of Ray have niceness 15: on a busy machine they would wait minutes for their turn.
            "RAY_worker_niceness": "0",
            "COLUMNS": "300",
            **extra,
        }

    def start(self, options: Sequence[object], prefix: Sequence[str] = (), **environment: str) -> None:
        """Start a node in a process group of its own.

        Args:
            options: of `ray start`.
            prefix: command that starts `ray start`, such as `unshare -m`.
            environment: further variables of the node.
        """
        agent = f"--dashboard-agent-listen-port={free_port()}"
        command = [*prefix, str(BIN / "ray"), "start", *map(str, options), agent, "--block", "--disable-usage-stats"]
        log = (self.folder / f"node-{len(self.processes)}.log").open("wb")
        self.processes.append(
            subprocess.Popen(
                command,
                env=self.environment(**environment),
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        )

    def node(self, prefix: Sequence[str] = (), **environment: str) -> None:
        """Start a node, and wait until it has joined; arguments as for `start`."""
        self.start([f"--address={self.address}", "--num-cpus=1", *FREE_WORKER_PORTS], prefix, **environment)
        self.wait_for(len(self.processes))

    def wait_for(self, nodes: int) -> None:
        """Wait until the cluster has this many living nodes."""
        program = f"""
import ray, sys, time
ray.init(address={self.address!r}, log_to_driver=False, logging_level="ERROR")
for _ in range({START_S}):
    if sum(node["Alive"] for node in ray.nodes()) == {nodes}:
        sys.exit(0)
    time.sleep(1)
sys.exit(1)
"""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            client = [sys.executable, "-c", program]
            # It would wait for a head that has died for minutes.
            with suppress(subprocess.TimeoutExpired):
                done = subprocess.run(client, env=self.environment(), capture_output=True, timeout=2 * START_S)
                if done.returncode == 0:
                    return
            if self.processes[0].poll() is not None:
                raise RuntimeError(f"the head has died: see {self.folder}")
            time.sleep(1)
        raise RuntimeError(f"no cluster of {nodes} nodes came up: see {self.folder}")

    def raygene(self, *arguments: object, timeout: int = 300, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a verb as a client of this cluster."""
        return subprocess.run(
            [sys.executable, "-m", "cluster", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment(**environment),
            cwd=ROOT,
        )

    def stop(self) -> None:
        """End every node, and whatever its processes have left."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
        # All processes that Ray has started for these nodes have its temporary directory in their command line.
        for process_id, line in command_lines():
            if any(str(self.scratch) in argument for argument in line):
                with suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)


def command_lines() -> list[tuple[int, list[str]]]:
    """Id and command line of every process of this machine."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            lines.append((int(folder.name), (folder / "cmdline").read_text(errors="replace").split("\0")))
    return lines


@contextmanager
def head(folder: Path, cpus: int = 2) -> Iterator[Cluster]:
    """A head that takes jobs from whoever has the token."""
    token = folder / "token"
    token.write_text(os.urandom(32).hex())
    with tempfile.TemporaryDirectory(prefix="rg-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        cluster = Cluster(free_port(), free_port(), token, folder, Path(scratch))
        try:
            ports = [f"--port={cluster.gcs}", f"--dashboard-port={cluster.dashboard}"]
            workers = [*FREE_WORKER_PORTS, f"--ray-client-server-port={free_port()}"]
            cluster.start(["--head", *ports, *workers, f"--num-cpus={cpus}", f"--temp-dir={scratch}"])
            cluster.wait_for(1)
            yield cluster
        finally:
            cluster.stop()
