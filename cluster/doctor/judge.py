"""From facts to lines: pure comparisons, so that every trouble can be tried without having it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cluster.doctor import trial
from cluster.doctor.lines import Line
from cluster.doctor.seen import NodeReport, each, on, values, where
from pipelines.errors import ResourceError
from training.distributed import gpu_check
from training.hardware import devices
from training.hardware.gpus import visible

BEDTOOLS_MEND = (
    "install it with 'apt-get install bedtools', 'conda install -c bioconda bedtools' or 'brew install bedtools'"
)


def versions(driver: Mapping[str, str], machines: Sequence[NodeReport]) -> list[Line]:
    """Python and Ray of the driver and of every machine: Ray refuses a driver that differs in either.

    Args:
        driver: version by name, as `facts.versions` gives it.
        machines: what they told.
    """
    return [line for check, mine in driver.items() for line in _version(check, mine, machines)]


def _version(check: str, mine: str, machines: Sequence[NodeReport]) -> list[Line]:
    def judged(one: NodeReport) -> Line | None:
        theirs = one.facts.python if check == "Python" else one.facts.ray
        if theirs == mine:
            return None
        told = f"{theirs or 'none'}, and here {mine}"
        return Line(
            "failure", check, told, f"install the same {check} on both; Ray takes no driver of another", one.name
        )

    return each(machines, check, on(machines, mine), judged)


def bedtools(machines: Sequence[NodeReport]) -> list[Line]:
    """bedtools on every machine, of one version: it belongs to a dataset's fingerprint."""

    def judged(one: NodeReport) -> Line | None:
        if one.facts.bedtools:
            return None
        return Line("failure", "bedtools", one.facts.bedtools_trouble, BEDTOOLS_MEND, where(one, machines))

    lines = each(machines, "bedtools", on(machines, values([one.facts.bedtools for one in machines])), judged)
    found = {one.facts.bedtools for one in machines} - {""}
    if len(found) > 1:
        lines.append(
            Line("warning", "bedtools", f"versions differ: {values([*found])}", "install one version on every node")
        )
    return [line for line in lines if not (line.level == "ok" and len(found) > 1)]


def torch(machines: Sequence[NodeReport]) -> list[Line]:
    """The build of torch against the machine's GPUs and their driver."""

    def judged(one: NodeReport) -> Line | None:
        facts, place = one.facts, where(one, machines)
        if facts.torch is None:
            return Line(
                "failure", "torch", facts.torch_trouble or "missing", "install the packages of pyproject.toml", place
            )
        try:
            devices.choose("auto", facts.found, facts.torch, facts.environment)
        except ResourceError as error:
            return Line("failure", "torch", error.problem.removeprefix("training.device: "), error.fix, place)
        return None

    told = values([f"{one.facts.torch.version}" for one in machines if one.facts.torch])
    lines = each(machines, "torch", on(machines, told), judged)
    if "," in told:
        lines = [line for line in lines if line.level != "ok"]
        lines.append(Line("warning", "torch", f"versions differ: {told}", "install one version on every node"))
    return lines


def gpus(machines: Sequence[NodeReport], asked: int) -> list[Line]:
    """GPUs that Ray counts, or without Ray those of this machine, against those asked for."""
    counts = [
        one.gpus if one.gpus is not None else (one.facts.torch.usable if one.facts.torch else 0) for one in machines
    ]
    total = sum(counts)
    told = f"{total} of {asked} asked for" if asked else f"{total}"
    lines = []
    if total < asked:
        there = values([str(visible(one.facts.found, one.facts.environment)) for one in machines])
        lines.append(
            Line(
                "failure",
                "GPUs",
                f"{told}; the device files show {there}",
                "add nodes with GPUs, ask for fewer workers, or set training.device to cpu",
            )
        )
    for one in machines:
        lines += [Line("failure", "GPUs", problem, mend, where(one, machines)) for problem, mend in one.failed]
        if one.silent:
            told_silent = f"{one.silent} did not answer in {trial.ANSWER_S:.0f} s"
            mend = "run again when the machine is less busy; if it stays so, see that node's driver"
            lines.append(Line("warning", "GPUs", told_silent, mend, where(one, machines)))
        if one.gpus is None or one.facts.torch is None:
            continue
        try:
            sight = gpu_check.NodeInventory(one.name, one.gpus, one.facts.found, one.facts.torch, one.facts.environment)
            gpu_check.judge([sight], "auto")
        except ResourceError as error:
            if "torch" not in error.problem:
                problem = error.problem.removeprefix("training.device: ").removeprefix("training.device auto: ")
                lines.append(Line("failure", "GPUs", problem, error.fix, where(one, machines)))
        if one.facts.found.amd and not one.facts.amdsmi and not one.gpus:
            lines.append(
                Line(
                    "failure",
                    "GPUs",
                    "Ray counts AMD's through amdsmi, which is missing",
                    "pip install amdsmi",
                    one.name,
                )
            )
    untried = sum(one.untried for one in machines)
    return lines or [Line("ok", "GPUs", f"{told}; {untried} in use by others and not tried" if untried else told)]
