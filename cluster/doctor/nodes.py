"""Gathers facts on every living node of the cluster that Ray is connected to: one small task a node, pinned to it."""

from __future__ import annotations

import time
from typing import Any

from cluster.doctor.facts import Facts, Request, gather
from cluster.doctor.judge import Seen
from cluster.doctor.lines import Line

ANSWER_S = 120.0


def look(request: Request) -> tuple[list[Seen], list[Line]]:
    """What every node tells, and a failure for each that tells nothing."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    gathering = ray.remote(num_cpus=0, max_retries=0)(gather)
    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    began = time.time()
    asked = [
        gathering.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            request
        )
        for node in nodes
    ]
    seen, lines = list[Seen](), list[Line]()
    for node, name, answer in zip(nodes, names(nodes), asked, strict=True):
        try:
            facts: Facts = ray.get(answer, timeout=ANSWER_S)
        except RayError as error:
            lines.append(_silent(name, error))
            continue
        skew = max(began - facts.clock, facts.clock - time.time(), 0.0)
        seen.append(Seen(name, facts, int(node["Resources"].get("GPU", 0)), skew))
    return seen, lines


def names(nodes: list[dict[str, Any]]) -> list[str]:
    """What to call nodes: their addresses, with the beginning of their ids where several share one."""
    addresses = [node["NodeManagerAddress"] for node in nodes]
    return [
        address if addresses.count(address) == 1 else f"{address} ({node['NodeID'][:6]})"
        for node, address in zip(nodes, addresses, strict=True)
    ]


def _silent(name: str, error: Exception) -> Line:
    text = str(error)
    if "ModuleNotFoundError" in text or "No module named" in text:
        missing = text.rsplit("No module named", 1)[-1].split("\n")[0].strip(" '\"")
        mend = "install raygene and its packages there, or run 'raygene submit -- doctor', which brings raygene's own code along"
        return Line("failure", "node", f"has no Python module {missing}", mend, name)
    return Line(
        "failure", "node", f"does not answer ({type(error).__name__})", "see 'ray status' and that node's log", name
    )
