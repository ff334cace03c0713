"""What doctor learned about a node, and how a check of all nodes becomes findings.

A check that every node passes is one finding; otherwise each node that fails it has a finding of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cluster.doctor.findings import Finding
from cluster.doctor.node_facts import NodeFacts


@dataclass(frozen=True)
class GpuProblem:
    """Why a GPU does not compute, and what to do about it."""

    message: str
    fix: str


@dataclass(frozen=True)
class NodeReport:
    """What doctor learned about a node.

    Attributes:
        name: of the node in findings.
        facts: what the node reported about itself.
        gpus: how many Ray counts; None without Ray.
        min_skew: seconds by which its clock is off at least; None if it did not answer in time.
        max_skew: seconds by which its clock is off at most; None likewise.
        gpu_problems: of each GPU that was tested and does not compute.
        untested_gpus: how many were not tested, because other work has reserved them.
        unresponsive_gpus: how many were tested and did not answer in time.
    """

    name: str
    facts: NodeFacts
    gpus: int | None = None
    min_skew: float | None = 0.0
    max_skew: float | None = 0.0
    gpu_problems: tuple[GpuProblem, ...] = ()
    untested_gpus: int = 0
    unresponsive_gpus: int = 0


def findings_of(
    reports: Iterable[NodeReport], check: str, message: str, examine: Callable[[NodeReport], Finding | None]
) -> list[Finding]:
    """The finding of each node with a problem, or one that all is well.

    Args:
        reports: of all nodes.
        check: what is checked.
        message: of the finding that all is well.
        examine: gives a node's problem, or None.
    """
    problems = [finding for report in reports if (finding := examine(report)) is not None]
    return problems or [Finding("ok", check, message)]


def node_name(report: NodeReport, reports: Sequence[NodeReport]) -> str:
    """The node's name; empty if there is only one."""
    return report.name if len(reports) > 1 else ""


def on_all(reports: Sequence[NodeReport], message: str) -> str:
    """A message that holds for all nodes, with their number if there are several."""
    return f"{message} on {len(reports)} nodes" if len(reports) > 1 else message


def or_more(reports: Sequence[NodeReport]) -> str:
    """What follows the smallest figure of all nodes; empty if there is only one."""
    return f" or more on {len(reports)} nodes" if len(reports) > 1 else ""


def joined(values: Iterable[str]) -> str:
    """Each value once, sorted, as a list in a sentence."""
    return ", ".join(sorted(set(values)))
