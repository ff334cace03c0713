"""Checks of the programs on every node: Python, Ray, bedtools and torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cluster.doctor.findings import Finding
from cluster.doctor.node_report import NodeReport, findings_of, joined, node_name, on_all
from training.hardware import devices
from training.hardware.devices import DeviceError

INSTALL_BEDTOOLS = (
    "install it with 'apt-get install bedtools', 'conda install -c bioconda bedtools' or 'brew install bedtools'"
)
SAME_EVERYWHERE = "install one version on every node"


def check_versions(driver: Mapping[str, str], reports: Sequence[NodeReport]) -> list[Finding]:
    """Python and Ray of the driver and of every node: Ray refuses a driver that differs in either.

    Args:
        driver: version by name, as `node_facts.versions` gives it.
        reports: of all nodes.
    """
    return [finding for check, version in driver.items() for finding in _check_version(check, version, reports)]


def _check_version(check: str, driver_version: str, reports: Sequence[NodeReport]) -> list[Finding]:
    def examine(report: NodeReport) -> Finding | None:
        version = report.facts.python if check == "Python" else report.facts.ray
        if version == driver_version:
            return None
        return Finding(
            "failure",
            check,
            f"{version or 'none'}, but {driver_version} in this process",
            f"install the same {check} on both; Ray accepts no driver of another version",
            report.name,
        )

    return findings_of(reports, check, on_all(reports, driver_version), examine)


def check_bedtools(reports: Sequence[NodeReport]) -> list[Finding]:
    """bedtools on every node, of one version: its version is part of a dataset's fingerprint."""

    def examine(report: NodeReport) -> Finding | None:
        if report.facts.bedtools:
            return None
        return Finding(
            "failure", "bedtools", report.facts.bedtools_trouble, INSTALL_BEDTOOLS, node_name(report, reports)
        )

    versions = {report.facts.bedtools for report in reports} - {""}
    findings = findings_of(reports, "bedtools", on_all(reports, joined(versions)), examine)
    if len(versions) <= 1:
        return findings
    problems = [finding for finding in findings if finding.level != "ok"]
    return [*problems, Finding("warning", "bedtools", f"versions differ: {joined(versions)}", SAME_EVERYWHERE)]


def check_torch(reports: Sequence[NodeReport]) -> list[Finding]:
    """The build of torch on every node, and whether it can use that node's GPUs."""

    def examine(report: NodeReport) -> Finding | None:
        facts, node = report.facts, node_name(report, reports)
        if facts.torch is None:
            return Finding(
                "failure", "torch", facts.torch_trouble or "missing", "install the packages of pyproject.toml", node
            )
        try:
            devices.choose("auto", facts.hardware, facts.torch, facts.environment)
        except DeviceError as error:
            return Finding("failure", "torch", error.detail, error.fix, node)
        return None

    versions = {report.facts.torch.version for report in reports if report.facts.torch}
    findings = findings_of(reports, "torch", on_all(reports, joined(versions)), examine)
    if len(versions) <= 1:
        return findings
    problems = [finding for finding in findings if finding.level != "ok"]
    return [*problems, Finding("warning", "torch", f"versions differ: {joined(versions)}", SAME_EVERYWHERE)]
