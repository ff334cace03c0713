"""How many actors of a cluster score sequences, and on what: every GPU, else every CPU, unless set otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import ResourceError
from pipelines.ray_map.nodes import Node, living
from training.distributed.nodes import gpu_check


@dataclass(frozen=True)
class Pool:
    """Actors that score: a CPU each, and a GPU each if `use_gpu`; or this process alone, without Ray."""

    actors: int
    use_gpu: bool
    is_this_process: bool = False


THIS_PROCESS = Pool(1, use_gpu=False, is_this_process=True)


def on_cluster(requested: int | None, device: str) -> Pool:
    """The pool for the cluster that Ray is connected to; arguments as of `choose_pool`.

    Raises:
        ResourceError: as `choose_pool`, or a GPU would be left unused.
    """
    gpu_check.require(device)
    return choose_pool(living(), requested, device)


def choose_pool(nodes: Sequence[Node], requested: int | None, device: str) -> Pool:
    """The pool for a cluster.

    Args:
        nodes: its machines.
        requested: number of actors (default: as many as the cluster can hold).
        device: cpu, cuda, or auto (GPUs if the cluster has any).

    Raises:
        ResourceError: the cluster cannot hold so many; Ray would wait for them for ever.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    use_gpu = device == "cuda" or (device == "auto" and gpus > 0)
    capacity = sum(min(node.cpus, node.gpus) for node in nodes) if use_gpu else cpus
    if not capacity or (requested or 1) > capacity:
        needs = "a GPU and a CPU" if use_gpu else "a CPU"
        raise ResourceError(
            f"--workers {requested or 1}: each needs {needs}, but the cluster has {cpus} CPUs and {gpus} GPUs",
            f"set it to {capacity}" if capacity else "add a node, or choose another --device",
            key="workers",
        )
    return Pool(requested or capacity, use_gpu)
