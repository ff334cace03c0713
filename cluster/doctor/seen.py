"""A machine as doctor saw it, and how a check becomes lines: one that all pass is a line, otherwise each that does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cluster.doctor.facts import Facts
from cluster.doctor.lines import Line


@dataclass(frozen=True)
class NodeReport:
    """A machine as doctor saw it.

    Attributes:
        name: how it is called in lines.
        facts: what it told.
        gpus: as Ray counts them; None without Ray.
        skew: seconds by which its clock is off at least; None where it did not tell in time.
        bound: seconds by which it is off at most; None likewise.
        failed: problem and mend of each GPU that was tried and does not compute.
        untried: GPUs that were not tried, for others use them.
        silent: GPUs that were given to be tried and did not answer in time.
    """

    name: str
    facts: Facts
    gpus: int | None = None
    skew: float | None = 0.0
    bound: float | None = 0.0
    failed: tuple[tuple[str, str], ...] = ()
    untried: int = 0
    silent: int = 0


Judge = Callable[[NodeReport], Line | None]


def each(machines: Sequence[NodeReport], check: str, well: str, judged: Judge) -> list[Line]:
    """A line for each machine in trouble, or one that all is well."""
    return [line for one in machines if (line := judged(one)) is not None] or [Line("ok", check, well)]


def where(one: NodeReport, machines: Sequence[NodeReport]) -> str:
    """The machine's name, where there are several."""
    return one.name if len(machines) > 1 else ""


def on(machines: Sequence[NodeReport], told: str) -> str:
    """What holds for all machines."""
    return f"{told} on {len(machines)} nodes" if len(machines) > 1 else told


def least(machines: Sequence[NodeReport]) -> str:
    """What to put behind the smallest figure of all machines."""
    return f" at least, on {len(machines)} nodes" if len(machines) > 1 else ""


def values(found: Sequence[str]) -> str:
    """Each value once."""
    return ", ".join(sorted(set(found)))
