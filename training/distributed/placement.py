"""Which part of a cluster each worker gets: a GPU or not, and how many CPUs.

Ray waits for ever, and in silence, for resources that no node has or that other work holds: what is asked is held
against the nodes first, and against what is free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import ResourceError


@dataclass(frozen=True)
class Node:
    """What a machine of the cluster has."""

    cpus: int
    gpus: int


@dataclass(frozen=True)
class Placement:
    """What each worker gets: CPUs, and one GPU if `use_gpu`."""

    cpus: int
    use_gpu: bool

    @property
    def resources(self) -> dict[str, int]:
        """As Ray names them."""
        return {"CPU": self.cpus} | ({"GPU": 1} if self.use_gpu else {})


def nodes_of(listing: Sequence[dict[str, Any]]) -> list[Node]:
    """The living nodes of a `ray.nodes()` listing."""
    resources = [node["Resources"] for node in listing if node["Alive"]]
    return [Node(int(one.get("CPU", 0)), int(one.get("GPU", 0))) for one in resources]


def place(nodes: Sequence[Node], workers: int, device: str) -> Placement:
    """Share a cluster out among workers, as many CPUs to each as every worker can have.

    Args:
        nodes: the machines.
        workers: how many processes.
        device: cpu, cuda, or auto (GPUs if the cluster has any).

    Raises:
        ResourceError: the cluster has too little. GPUs that do not suffice are never left aside in silence.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    has = f"the cluster has {cpus} CPUs and {gpus} GPUs on {len(nodes)} nodes"
    if device == "cuda" or (device == "auto" and gpus):
        if with_gpu := _largest_share(nodes, workers, use_gpu=True):
            return Placement(with_gpu, use_gpu=True)
        fitting = sum(min(node.cpus, node.gpus) for node in nodes)
        raise ResourceError(
            f"training.workers {workers} on GPUs need a GPU and a CPU each, but {has}",
            f"set training.workers to {fitting} or training.device to cpu" if fitting else "set training.device to cpu",
        )
    without = _largest_share(nodes, workers, use_gpu=False)
    if not without:
        raise ResourceError(
            f"training.workers {workers} need a CPU each, but {has}",
            f"set training.workers to {cpus} or raise cluster.cpus" if cpus else "add a node with CPUs",
        )
    return Placement(without, use_gpu=False)


def beside(nodes: Sequence[Node], share: Placement, workers: int) -> int:
    """The most workers that may come to lie on one machine, for Ray fills one before the next."""
    slots = [min(node.cpus // share.cpus, node.gpus if share.use_gpu else workers) for node in nodes]
    return min(workers, max(slots, default=workers))


def awaited(share: Placement, workers: int, free: Mapping[str, float]) -> str | None:
    """What has to become free before every worker has its share; None if it is free now.

    Args:
        share: of each worker.
        workers: how many processes.
        free: `ray.available_resources()`, which lacks what is used up.
    """
    needed = {name: count * workers for name, count in share.resources.items()}
    short = [name for name, count in needed.items() if free.get(name, 0) < count]
    told = [
        f"{needed[name]} {name}{'s' if needed[name] > 1 else ''} ({free.get(name, 0):g} free now)" for name in short
    ]
    return " and ".join(told) or None


def _largest_share(nodes: Sequence[Node], workers: int, *, use_gpu: bool) -> int:
    """The most CPUs that every worker can have on some node; 0 if not even one."""
    for share in range(max((node.cpus for node in nodes), default=0), 0, -1):
        slots = sum(min(node.cpus // share, node.gpus if use_gpu else workers) for node in nodes)
        if slots >= workers:
            return share
    return 0
