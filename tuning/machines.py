"""The machines that trials run on, as a search has to know them: the least memory, CPUs and GPUs of any."""

from __future__ import annotations

from typing import Any

from pipelines.errors import ResourceError
from training.memory import capacity
from training.placement import nodes_of, place
from tuning.config import TuningConfig
from tuning.room import Machine

ANSWER_S = 120.0


def of_cluster(config: TuningConfig, device: str) -> Machine:
    """Ask every machine of the cluster that Ray is connected to for its memory, unless it is stated.

    Args:
        config: `device_memory`, `device_kind`, `workers`.
        device: `training.device`.

    Raises:
        ResourceError: no such device in the cluster, or a machine did not answer.
    """
    import ray

    listing = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    nodes = nodes_of(listing)
    shared = place(nodes, config.workers, device)
    able = [
        (row, node) for row, node in zip(listing, nodes, strict=True) if node.cpus and (node.gpus or not shared.use_gpu)
    ]
    kind = config.device_kind or ("cuda" if shared.use_gpu else "cpu")
    cpus = min(node.cpus for _, node in able)
    gpus = min(node.gpus for _, node in able) if shared.use_gpu else 0
    if config.device_memory is not None:
        return Machine(kind, capacity.parse(config.device_memory), cpus, gpus, here=False)
    memory = _memory([row["NodeID"] for row, _ in able], "cuda" if shared.use_gpu else "cpu")
    return Machine(kind, memory, cpus, gpus, here=len(listing) == 1 and kind == "cpu")


def _memory(nodes: list[str], kind: str) -> int:
    """The least memory of a device on any of these machines, as it is free now."""
    import ray
    from ray.exceptions import RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task: Any = ray.remote(num_cpus=0, num_gpus=int(kind == "cuda"), max_retries=1)(capacity.available)
    asked = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(kind)
        for node in nodes
    ]
    try:
        return min(ray.get(asked, timeout=ANSWER_S))
    except RayTaskError as error:
        cause = error.cause
        raise cause if isinstance(cause, ResourceError) else _silent(error) from error
    except RayError as error:
        raise _silent(error) from error


def _silent(error: Exception) -> ResourceError:
    return ResourceError(
        f"a machine of the cluster did not tell its memory ({type(error).__name__})",
        "name it with tuning.device_memory, or wait until the cluster is free",
    )
