"""Gathers facts on every living node of the cluster that Ray is connected to: small tasks pinned to it, with one deadline for all."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

from cluster.doctor import clock, trial
from cluster.doctor.facts import Facts, Request, gather
from cluster.doctor.lines import Line
from cluster.doctor.seen import NodeReport
from training.distributed import node_tasks
from training.distributed.node_tasks import Node

ANSWER_S = 120.0
"""For all facts and clocks of all nodes, together."""
CLOCK_S = 10.0
"""Of that, for the clocks."""


def look(request: Request) -> tuple[list[NodeReport], list[Line]]:
    """What every node tells, and a failure for each that tells nothing."""
    import ray
    from ray.exceptions import RayError

    nodes = node_tasks.living()
    asked = [node_tasks.start(gather, node, request) for node in nodes]
    node_tasks.finished(asked, ANSWER_S - CLOCK_S)
    told, lines = list[tuple[Node, str, Facts]](), list[Line]()
    for node, name, answer in zip(nodes, names(nodes), asked, strict=True):
        try:
            told.append((node, name, ray.get(answer, timeout=0)))
        except RayError as error:
            lines.append(_silent(name, error))
    readings = clock.read(
        [partial(node_tasks.start, clock.now, node) for node, _, _ in told], _first, _seconds, CLOCK_S
    )
    seen = [
        (
            node,
            NodeReport(
                name,
                facts,
                node_tasks.gpus(node),
                reading.least if reading else None,
                reading.most if reading else None,
            ),
        )
        for (node, name, facts), reading in zip(told, readings, strict=True)
    ]
    return _with_trials(seen), lines


def _first(answers: list[Any], seconds: float) -> list[Any]:
    import ray

    return ray.wait(answers, num_returns=1, timeout=seconds)[0]


def _seconds(answer: Any) -> float | None:
    import ray
    from ray.exceptions import RayError

    try:
        return float(ray.get(answer))
    except RayError:
        return None


def _with_trials(seen: list[tuple[Node, NodeReport]]) -> list[NodeReport]:
    """Try every GPU that nobody has reserved, all at once."""
    trials = [
        [node_tasks.start(trial.reserved, node, gpus=1) for _ in range(one.gpus or 0 if _reaches(one.facts) else 0)]
        for node, one in seen
    ]
    began, ended = _outcomes([each for of_node in trials for each in of_node])
    found = []
    for (_, one), of_node in zip(seen, trials, strict=True):
        # Where others use some, a free one may be given to several of these tasks, one after the other.
        told = {began.get(each, f"task {number}"): ended[each] for number, each in enumerate(of_node) if each in ended}
        silent = {began[each] for each in of_node if each in began} - {*told}
        failed = tuple(trouble for trouble in told.values() if trouble)
        untried = max(len(of_node) - len(told) - len(silent), 0)
        found.append(replace(one, failed=failed, untried=untried, silent=len(silent)))
    return found


def _outcomes(trials: list[Any]) -> tuple[dict[Any, str], dict[Any, trial.Trouble | None]]:
    """The GPU of each trial that began, and the outcome of each that ended, in time."""
    import ray
    from ray.exceptions import RayError

    began, ended = dict[Any, str](), dict[Any, trial.Trouble | None]()
    end = time.monotonic() + trial.ANSWER_S
    while (open_ := [each for each in trials if each not in ended]) and (left := end - time.monotonic()) > 0:
        for each in _first(open_, left):
            try:
                told: Any = ray.get(next(each))
            except RayError as error:
                ended[each] = (
                    f"a GPU ends the process that tries it ({type(error).__name__})",
                    "see that node's log, and its driver",
                )
                continue
            if each in began:
                ended[each] = told
            else:
                began[each] = told
    for each in open_:
        ray.cancel(each, force=True)
    return began, ended


def _reaches(facts: Facts) -> bool:
    return facts.torch is not None and facts.torch.usable > 0


def names(nodes: list[Node]) -> list[str]:
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
        mend = "install raygene and its packages there, or run 'raygene submit run -- doctor', which brings raygene's own code along"
        return Line("failure", "node", f"has no Python module {missing}", mend, name)
    return Line(
        "failure", "node", f"does not answer ({type(error).__name__})", "see 'ray status' and that node's log", name
    )
