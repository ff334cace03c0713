"""Gathers facts on every living node of the cluster that Ray is connected to: small tasks pinned to it, with one deadline for all."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from cluster.doctor import clock, trial
from cluster.doctor.facts import Facts, Request, gather
from cluster.doctor.lines import Line
from cluster.doctor.seen import Seen
from training import pinned
from training.pinned import Node

ANSWER_S = 120.0
CLOCK_S = 10.0
TRIAL_S = 30.0


def look(request: Request) -> tuple[list[Seen], list[Line]]:
    """What every node tells, and a failure for each that tells nothing."""
    import ray
    from ray.exceptions import RayError

    nodes = pinned.living()
    asked = [pinned.start(gather, node, request) for node in nodes]
    pinned.finished(asked, ANSWER_S)
    seen, lines = list[tuple[Node, Seen]](), list[Line]()
    for node, name, answer in zip(nodes, names(nodes), asked, strict=True):
        try:
            facts: Facts = ray.get(answer, timeout=0)
            reading = clock.read(partial(_clock_of, node))
        except RayError as error:
            lines.append(_silent(name, error))
            continue
        seen.append((node, Seen(name, facts, pinned.gpus(node), reading.least, reading.most)))
    return _with_trials(seen), lines


def _clock_of(node: Node) -> float:
    import ray

    return float(ray.get(pinned.start(clock.now, node), timeout=CLOCK_S))


def _with_trials(seen: list[tuple[Node, Seen]]) -> list[Seen]:
    """Try every GPU that nobody has reserved, all at once."""
    import ray
    from ray.exceptions import RayError

    trials = [
        [pinned.start(trial.reserved, node, gpus=1) for _ in range(one.gpus or 0 if _reaches(one.facts) else 0)]
        for node, one in seen
    ]
    ready = pinned.finished([each for of_node in trials for each in of_node], TRIAL_S)
    found = []
    for (_, one), of_node in zip(seen, trials, strict=True):
        # Where others use some, a free one may be given to several of these tasks, one after the other.
        told = dict[str, trial.Trouble | None]()
        for number, each in enumerate(of_node):
            if each not in ready:
                ray.cancel(each, force=True)
                continue
            try:
                gpu, trouble = ray.get(each)
                told[gpu] = trouble
            except RayError as error:
                told[f"task {number}"] = (
                    f"a GPU ends the process that tries it ({type(error).__name__})",
                    "see that node's log, and its driver",
                )
        failed = tuple(trouble for trouble in told.values() if trouble)
        found.append(replace(one, failed=failed, untried=max(len(of_node) - len(told), 0)))
    return found


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
        mend = "install raygene and its packages there, or run 'raygene submit -- doctor', which brings raygene's own code along"
        return Line("failure", "node", f"has no Python module {missing}", mend, name)
    return Line(
        "failure", "node", f"does not answer ({type(error).__name__})", "see 'ray status' and that node's log", name
    )
