"""The nodes of a cluster, and whether those that are left can still hold some work.

Ray waits for ever, and in silence, for resources that no living node has. A lost node may come back or be replaced, so
that a shortage is an error only after some minutes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.display import counted
from pipelines.errors import ResourceError, UsageError

RETURN_VARIABLE = "RAYGENE_NODE_RETURN_S"
RETURN_S = 120.0
"""How long a lost node, or one in its place, has to join the cluster, unless the variable says otherwise."""
INTERVAL_S = 5.0


@dataclass(frozen=True)
class Node:
    """The resources of a machine of the cluster."""

    cpus: int
    gpus: int


class ClusterTooSmallError(ResourceError):
    """The nodes that a cluster has left cannot hold what is to run."""

    code = "cluster_too_small"


def nodes_of(records: Sequence[dict[str, Any]]) -> list[Node]:
    """The resources of nodes from Ray's records of them, in the same order."""
    resources = [record["Resources"] for record in records]
    return [Node(int(of_node.get("CPU", 0)), int(of_node.get("GPU", 0))) for of_node in resources]


def is_connected() -> bool:
    """Whether this process is connected to Ray."""
    ray = sys.modules.get("ray")
    # While Ray is being imported, its module is there and empty.
    return ray is not None and hasattr(ray, "is_initialized") and bool(ray.is_initialized())


def is_own() -> bool:
    """Whether this process has started the Ray that it is connected to, which then is this machine alone.

    False in workers of that Ray, such as the process of a trial.
    """
    if not is_connected():
        return False
    import ray

    # Another version of Ray may name it otherwise, and then nothing is left out that a cluster needs.
    node = getattr(ray._private.worker, "_global_node", None)
    return bool(getattr(node, "head", False))


def living() -> list[Node]:
    """The resources of the living nodes of the cluster that Ray is connected to."""
    return nodes_of(living_records())


def living_records() -> list[dict[str, Any]]:
    """Ray's records of the living nodes, with their ids, names and addresses, as in `ray.nodes()`."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def free() -> dict[str, float]:
    """The resources that nothing uses, by Ray's names; one of which nothing is free is left out."""
    import ray

    return dict(ray.available_resources())


def held_by_any(cpus: int, gpus: int = 0) -> Callable[[Sequence[Node]], bool]:
    """A predicate: whether one of the nodes has so many CPUs and GPUs, free or not."""
    return lambda nodes: any(node.cpus >= cpus and node.gpus >= gpus for node in nodes)


def return_s() -> float:
    """Seconds that a lost node has to come back.

    Raises:
        UsageError: `RETURN_VARIABLE` is not a number.
    """
    text = os.environ.get(RETURN_VARIABLE, str(RETURN_S))
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{RETURN_VARIABLE}={text}: not a number", "give seconds, such as 600") from None


class Shortage:
    """Tells when the living nodes have been unable to hold some work for longer than one may need to come back.

    Args:
        is_enough: whether nodes can hold the work, if nothing else runs on them.
        needs: what the work needs, such as `training needs 2 workers with a CPU each`.
        nodes: the living nodes.
        clock: seconds.
    """

    def __init__(
        self,
        is_enough: Callable[[Sequence[Node]], bool],
        needs: str,
        nodes: Callable[[], Sequence[Node]] = living,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_enough, self._needs, self._nodes, self._clock = is_enough, needs, nodes, clock
        self._checked_at = -INTERVAL_S
        self._since: float | None = None

    def require(self) -> None:
        """Look at the cluster, every few seconds at most.

        Raises:
            ClusterTooSmallError: it has been too small for too long.
        """
        now = self._clock()
        if now - self._checked_at < INTERVAL_S:
            return
        self._checked_at = now
        nodes = self._nodes()
        if self._is_enough(nodes):
            self._since = None
            return
        self._since = now if self._since is None else self._since
        if now - self._since < return_s():
            return
        cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
        raise ClusterTooSmallError(
            f"a node of the cluster was lost: {self._needs}, but {counted(cpus, 'CPU')} and {counted(gpus, 'GPU')} on "
            f"{counted(len(nodes), 'node')} are left",
            "add a node, then run the same command to resume",
        )
