"""Which part of a cluster each worker gets: a GPU or not, and how many CPUs.

Ray waits for ever, and in silence, for resources that no node has or that other work occupies. So the request is
compared first with what the nodes have, and then with what is free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.display import counted
from pipelines.errors import ResourceError
from pipelines.ray_map.nodes import Node, Shortage


@dataclass(frozen=True)
class Placement:
    """What each worker gets: CPUs, and one GPU if `use_gpu`."""

    cpus: int
    use_gpu: bool

    @property
    def resources(self) -> dict[str, int]:
        """Under Ray's names."""
        return {"CPU": self.cpus} | ({"GPU": 1} if self.use_gpu else {})


def place(nodes: Sequence[Node], workers: int, device: str) -> Placement:
    """Divide a cluster among workers: each gets as many CPUs as all of them can have.

    Args:
        nodes: the machines.
        workers: number of processes.
        device: cpu, cuda, or auto (GPUs if the cluster has any).

    Raises:
        ResourceError: the cluster has too little. GPUs that are too few are an error, never ignored in silence.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    cluster = f"the cluster has {counted(cpus, 'CPU')} and {counted(gpus, 'GPU')} on {counted(len(nodes), 'node')}"
    if device == "cuda" or (device == "auto" and gpus):
        if cpus_with_gpu := _max_cpus(nodes, workers, use_gpu=True):
            return Placement(cpus_with_gpu, use_gpu=True)
        max_workers = sum(min(node.cpus, node.gpus) for node in nodes)
        to_cpu = "set training.device to cpu"
        raise ResourceError(
            f"training.workers {workers} on GPUs need a GPU and a CPU each, but {cluster}",
            f"set training.workers to {max_workers} or training.device to cpu" if max_workers else to_cpu,
            key="training.workers",
        )
    cpus_each = _max_cpus(nodes, workers, use_gpu=False)
    if not cpus_each:
        raise ResourceError(
            f"training.workers {workers} need a CPU each, but {cluster}",
            f"set training.workers to {cpus} or raise cluster.cpus" if cpus else "add a node with CPUs",
            key="training.workers",
        )
    return Placement(cpus_each, use_gpu=False)


def capacity(nodes: Sequence[Node], placement: Placement) -> int:
    """How many workers the nodes hold at once, whichever node each is on."""
    return sum(_slots(node, placement) for node in nodes)


def max_workers_per_node(nodes: Sequence[Node], placement: Placement, workers: int) -> int:
    """The most workers that may be on one machine, for Ray fills one before it takes the next."""
    return min(workers, max((_slots(node, placement) for node in nodes), default=workers))


def shortage(placement: Placement, workers: int) -> Shortage:
    """Tells when the nodes that a cluster has left cannot hold a run's workers.

    Args:
        placement: of each worker.
        workers: that are enough to continue.
    """
    each = f"{counted(placement.cpus, 'CPU')}{' and a GPU' if placement.use_gpu else ''}"
    needs = f"{counted(workers, 'worker')} with {each} each" if workers > 1 else f"a worker with {each}"
    return Shortage(lambda nodes: capacity(nodes, placement) >= workers, f"training needs {needs}")


def missing_resources(placement: Placement, workers: int, free: Mapping[str, float]) -> str | None:
    """What has to become free before every worker can start, in words; None if everything is free.

    Args:
        placement: of each worker.
        workers: number of processes.
        free: `ray.available_resources()`, which leaves out a resource of which nothing is free.
    """
    needed = {name: count * workers for name, count in placement.resources.items()}
    missing = [name for name, count in needed.items() if free.get(name, 0) < count]
    parts = [
        f"{needed[name]} {name}{'s' if needed[name] > 1 else ''} ({free.get(name, 0):g} free now)" for name in missing
    ]
    return " and ".join(parts) or None


def _max_cpus(nodes: Sequence[Node], workers: int, *, use_gpu: bool) -> int:
    """The most CPUs that every worker can have on some node; 0 if not even one."""
    for cpus in range(max((node.cpus for node in nodes), default=0), 0, -1):
        if capacity(nodes, Placement(cpus, use_gpu)) >= workers:
            return cpus
    return 0


def _slots(node: Node, placement: Placement) -> int:
    """How many workers fit on a node."""
    by_cpus = node.cpus // placement.cpus
    return min(by_cpus, node.gpus) if placement.use_gpu else by_cpus
