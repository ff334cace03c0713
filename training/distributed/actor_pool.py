"""How many actors of a cluster score sequences, and on what: every GPU there is, else every CPU, unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import ResourceError
from training.distributed.placement import Node


@dataclass(frozen=True)
class Pool:
    """Actors that score: a CPU each, and a GPU each if `use_gpu`."""

    actors: int
    use_gpu: bool


def of(nodes: Sequence[Node], wanted: int | None, device: str) -> Pool:
    """The pool for a cluster.

    Args:
        nodes: its machines.
        wanted: actors asked for (default: as many as there is room for).
        device: cpu, cuda, or auto (GPUs if the cluster has any).

    Raises:
        ResourceError: there is no room for so many; Ray would wait for it for ever.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    use_gpu = device == "cuda" or (device == "auto" and gpus > 0)
    room = sum(min(node.cpus, node.gpus) for node in nodes) if use_gpu else cpus
    if not room or (wanted or 1) > room:
        needs = "a GPU and a CPU" if use_gpu else "a CPU"
        raise ResourceError(
            f"--workers {wanted or 1}: each needs {needs}, but the cluster has {cpus} CPUs and {gpus} GPUs",
            f"ask for {room}" if room else "add a node, or choose another --device",
        )
    return Pool(wanted or room, use_gpu)
