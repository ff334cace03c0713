"""A diagnosis of this machine or of a cluster: the reports of its nodes, and the findings of all checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from cluster.doctor import (
    capacity_checks,
    file_access,
    file_checks,
    gpu_checks,
    gpu_probe,
    nodes,
    software_checks,
    speed_checks,
)
from cluster.doctor.findings import Finding, Level, worst
from cluster.doctor.node_facts import Request, gather, versions
from cluster.doctor.node_report import NodeReport
from cluster.local_ray import checks
from pipelines import remote
from pipelines.errors import ResourceError
from pipelines.stores import systems

Connect = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Diagnosis:
    """What doctor found.

    Attributes:
        reports: of every node that answered.
        findings: of every check, in the order in which they are shown.
    """

    reports: list[NodeReport]
    findings: list[Finding]

    @property
    def status(self) -> Level:
        """The most serious level of all findings."""
        return worst(self.findings)

    @property
    def title(self) -> str:
        """What was examined."""
        if not self.reports:
            return "This machine cannot reach the cluster"
        if self.reports[0].gpus is None:
            return "This machine"
        return f"A cluster of {len(self.reports)} {'node' if len(self.reports) == 1 else 'nodes'}"

    @property
    def summary(self) -> str:
        """How many failures and warnings there are."""
        levels = [finding.level for finding in self.findings]
        counts = [(levels.count(level), level) for level in ("failure", "warning")]
        parts = [f"{count} {level}{'s' if count > 1 else ''}" for count, level in counts if count]
        return " and ".join(parts) or "nothing to fix"

    def to_json(self) -> dict[str, Any]:
        """As plain values: status, lines (one for each finding) and nodes (name to facts)."""
        return {
            "status": self.status,
            "lines": [vars(finding) for finding in self.findings],
            "nodes": {
                report.name: {"gpus": report.gpus, "skew": report.min_skew, "bound": report.max_skew}
                | report.facts.to_json()
                for report in self.reports
            },
        }


def diagnose(connect: Connect | None, inputs: Mapping[str, str], outputs: Sequence[str], gpus: int) -> Diagnosis:
    """Examine every node of a cluster, or this machine.

    Args:
        connect: opens Ray; None to examine this machine, without Ray.
        inputs: path that every node must read to the key or flag that names it.
        outputs: directories, and addresses of folders in stores, that every node must write to; directories it must
            share.
        gpus: how many there must be in all.
    """
    directories = [output for output in outputs if remote.local_path(output) is not None]
    stores = [systems.with_environment(output) for output in outputs if output not in directories]
    request = Request(tuple(inputs), tuple(directories), tuple(stores))
    reports, failures = _examine_cluster(connect, request) if connect else ([_examine_this_machine(request)], [])
    if not reports:
        return Diagnosis(reports, failures)
    findings = [
        *software_checks.check_versions(versions(), reports),
        *software_checks.check_torch(reports),
        *software_checks.check_bedtools(reports),
        *gpu_checks.check_gpus(reports, gpus),
        *capacity_checks.check_memory(reports),
        *capacity_checks.check_disks(reports),
        *checks.check_network(reports),
        *checks.check_runs(reports),
        *checks.check_token(reports),
        *speed_checks.check_clocks(reports),
        *speed_checks.check_cpu_frequency(reports),
        *file_checks.check_inputs(reports, inputs),
        *file_checks.check_outputs(reports, directories),
        *file_checks.check_stores(reports, [systems.shown(address) for address in stores]),
    ]
    return Diagnosis(reports, [*findings, *failures])


def _examine_this_machine(request: Request) -> NodeReport:
    facts = gather(request)
    usable = facts.torch.usable if facts.torch else 0
    return NodeReport(facts.host, facts, gpu_problems=gpu_probe.try_local_gpus(usable))


def _examine_cluster(connect: Connect, request: Request) -> tuple[list[NodeReport], list[Finding]]:
    """The reports of a cluster's nodes; that of this machine, and a failure, if the cluster cannot be reached."""
    try:
        with connect(), _probes(request.outputs) as probes:
            return nodes.gather_reports(replace(request, probes=probes))
    except ResourceError as error:
        return [_examine_this_machine(request)], [Finding("failure", "Ray", error.problem, error.fix)]


@contextmanager
def _probes(outputs: Sequence[str]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Write a file into every output directory that takes one, for other nodes to see; remove them at the end."""
    written = []
    try:
        for output in outputs:
            with suppress(*file_access.UNWRITABLE):
                probe = file_access.probe_path(output)
                file_access.write_probe(probe)
                written.append((output, probe))
        yield tuple(written)
    finally:
        for _, probe in written:
            with suppress(*file_access.UNWRITABLE):
                file_access.remove_probe(probe)
