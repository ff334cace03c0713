"""Gathers a report from every living node of the cluster that Ray is connected to.

Each node gets small tasks of its own; all of them together have one deadline.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cluster.doctor import clock, gpu_probe
from cluster.doctor.clock import Reading
from cluster.doctor.findings import Finding
from cluster.doctor.node_facts import NodeFacts, Request, gather
from cluster.doctor.node_report import GpuProblem, NodeReport
from pipelines.ray_map.nodes import living_records
from training.distributed.nodes import node_tasks
from training.distributed.nodes.node_tasks import Node

TIMEOUT_S = 120.0
"""For the facts and clocks of all nodes together."""
CLOCK_TIMEOUT_S = 10.0
"""The part of `TIMEOUT_S` that is kept for the clocks."""


def gather_reports(request: Request) -> tuple[list[NodeReport], list[Finding]]:
    """The report of every node that answers, and a failure for every node that does not."""
    import ray
    from ray.exceptions import RayError

    nodes = living_records()
    answers = [node_tasks.start(gather, node, request) for node in nodes]
    node_tasks.wait(answers, TIMEOUT_S - CLOCK_TIMEOUT_S)
    answered: list[tuple[Node, str, NodeFacts]] = []
    failures: list[Finding] = []
    for node, name, answer in zip(nodes, node_names(nodes), answers, strict=True):
        try:
            answered.append((node, name, ray.get(answer, timeout=0)))
        except RayError as error:
            failures.append(_no_answer(name, error))
    readings = _read_clocks([node for node, _, _ in answered])
    reports = [
        NodeReport(
            name,
            facts,
            node_tasks.gpus(node),
            reading.min_skew if reading else None,
            reading.max_skew if reading else None,
        )
        for (node, name, facts), reading in zip(answered, readings, strict=True)
    ]
    return _with_gpu_tests([node for node, _, _ in answered], reports), failures


def _read_clocks(nodes: Sequence[Node]) -> list[Reading | None]:
    requests: list[Callable[[], Any]] = [partial(node_tasks.start, clock.now, node) for node in nodes]
    return clock.read(requests, _first_ready, _seconds, CLOCK_TIMEOUT_S)


def _first_ready(answers: list[Any], seconds: float) -> list[Any]:
    import ray

    return ray.wait(answers, num_returns=1, timeout=seconds)[0]


def _seconds(answer: Any) -> float | None:
    import ray
    from ray.exceptions import RayError

    try:
        return float(ray.get(answer))
    except RayError:
        return None


def _with_gpu_tests(nodes: Sequence[Node], reports: Sequence[NodeReport]) -> list[NodeReport]:
    """The reports with the results of testing every GPU that no other work has reserved, all at once."""
    tests = [
        [
            node_tasks.start(gpu_probe.try_reserved_gpu, node, gpus=1)
            for _ in range(report.gpus or 0 if _has_usable_gpus(report.facts) else 0)
        ]
        for node, report in zip(nodes, reports, strict=True)
    ]
    started, results = _run_gpu_tests([test for node_tests in tests for test in node_tests])
    tested = []
    for report, node_tests in zip(reports, tests, strict=True):
        # Where other work holds some GPUs, several tests may have had the same free one, one after the other.
        by_gpu = {
            started.get(test, f"test {number}"): results[test]
            for number, test in enumerate(node_tests)
            if test in results
        }
        unresponsive = {started[test] for test in node_tests if test in started} - {*by_gpu}
        tested.append(
            replace(
                report,
                gpu_problems=tuple(problem for problem in by_gpu.values() if problem),
                untested_gpus=max(len(node_tests) - len(by_gpu) - len(unresponsive), 0),
                unresponsive_gpus=len(unresponsive),
            )
        )
    return tested


def _run_gpu_tests(tests: list[Any]) -> tuple[dict[Any, str], dict[Any, GpuProblem | None]]:
    """The GPU of each test that started, and the result of each that ended in time."""
    import ray
    from ray.exceptions import RayError

    started, results = dict[Any, str](), dict[Any, GpuProblem | None]()
    deadline = time.monotonic() + gpu_probe.TIMEOUT_S
    while (running := [test for test in tests if test not in results]) and (left := deadline - time.monotonic()) > 0:
        for test in _first_ready(running, left):
            try:
                value: Any = ray.get(next(test))
            except RayError as error:
                results[test] = GpuProblem(
                    f"a GPU ends the process that tests it ({type(error).__name__})",
                    "see that node's log, and its driver",
                )
                continue
            if test in started:
                results[test] = value
            else:
                started[test] = value
    for test in running:
        ray.cancel(test, force=True)
    return started, results


def _has_usable_gpus(facts: NodeFacts) -> bool:
    return facts.torch is not None and facts.torch.usable > 0


def node_names(nodes: list[Node]) -> list[str]:
    """Names of nodes: their addresses, followed by the beginning of their ids where several share one."""
    addresses = [node["NodeManagerAddress"] for node in nodes]
    return [
        address if addresses.count(address) == 1 else f"{address} ({node['NodeID'][:6]})"
        for node, address in zip(nodes, addresses, strict=True)
    ]


def _no_answer(name: str, error: Exception) -> Finding:
    """The failure of a node that reported nothing.

    Ray wraps what a task raises while it is unpickled into an error of its own, so that only the text names the module.
    """
    text = str(error)
    if "ModuleNotFoundError" in text or "No module named" in text:
        module = text.rsplit("No module named", 1)[-1].split("\n")[0].strip(" '\"")
        fix = (
            "install raygene and its packages there, or run 'raygene submit run -- doctor', "
            "which brings raygene's own code along"
        )
        return Finding("failure", "node", f"has no Python module {module}", fix, name)
    return Finding(
        "failure", "node", f"does not answer ({type(error).__name__})", "see 'ray status' and that node's log", name
    )
