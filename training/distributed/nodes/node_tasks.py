"""Small tasks on chosen nodes of the cluster that Ray is connected to. They reserve no CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Node = dict[str, Any]


def gpus(node: Node) -> int:
    """The GPUs of a node, as Ray counts them."""
    return int(node["Resources"].get("GPU", 0))


def start(function: Callable[..., Any], node: Node, *arguments: Any, gpus: float = 0) -> Any:
    """Start a function on one node, without a retry; return Ray's reference to its result.

    Args:
        function: of a module that is installed on the node.
        node: one of `pipelines.ray_map.nodes.living_records()`.
        arguments: of the function.
        gpus: to reserve. The process that ran the function then ends, and with it goes the memory of its GPU.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Not soft: if the node is lost, the task fails rather than run elsewhere.
    this_node_only = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    return remote(function, gpus).options(scheduling_strategy=this_node_only).remote(*arguments)


def remote(function: Callable[..., Any], gpus: float = 0) -> Any:
    """A function as a task of Ray without a retry, for which GPUs are reserved.

    A process that has touched a GPU keeps some hundred megabytes of it, and what its allocator caches, for as long as
    it lives. Ray ends it after one call only where GPUs are named here: `.options(num_gpus=…)` does not.
    """
    import ray

    return ray.remote(num_cpus=0, num_gpus=gpus, max_retries=0, max_calls=1 if gpus else 0)(function)


def wait(references: Sequence[Any], seconds: float) -> list[Any]:
    """Wait until all tasks have ended, `seconds` at most; return the references of those that have."""
    import ray

    return ray.wait(list(references), num_returns=len(references), timeout=seconds)[0] if references else []
