"""One small task on each node of the cluster that Ray is connected to, pinned there; it reserves no CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Node = dict[str, Any]


def living() -> list[Node]:
    """The nodes that live, as Ray describes them."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def gpus(node: Node) -> int:
    """The GPUs of a node, as Ray counts them."""
    return int(node["Resources"].get("GPU", 0))


def start(function: Callable[..., Any], node: Node, *arguments: Any, gpus: float = 0) -> Any:
    """Start a function on a node, once; return the reference to what it will give.

    Args:
        function: of a module that is there.
        node: one of `living()`.
        arguments: of the function.
        gpus: to reserve.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    task = ray.remote(num_cpus=0, max_retries=0)(function)
    return task.options(num_gpus=gpus, scheduling_strategy=there).remote(*arguments)


def finished(references: Sequence[Any], seconds: float) -> list[Any]:
    """Those of some references that are ready when all are, or after so many seconds."""
    import ray

    return ray.wait(list(references), num_returns=len(references), timeout=seconds)[0] if references else []
