"""Checks that every node reads the inputs, writes and shares the output directories, and can use the stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cluster.doctor.findings import Finding
from cluster.doctor.node_report import NodeReport, node_name


def check_inputs(reports: Sequence[NodeReport], names: Mapping[str, str]) -> list[Finding]:
    """Whether every node reads every input, and the same bytes.

    Args:
        reports: of all nodes.
        names: path or address to the key or flag that names it.
    """
    if not names:
        return []
    findings = []
    for path, name in names.items():
        findings += [
            Finding(
                "failure",
                "inputs",
                f"{name} {path}: {report.facts.unread[path]}",
                "put it on storage that every node mounts at that path, or correct its permissions",
                node_name(report, reports),
            )
            for report in reports
            if path in report.facts.unread
        ]
        sizes = {report.facts.read[path] for report in reports if path in report.facts.read}
        if len(sizes) > 1:
            listed = " and ".join(f"{size:,}" for size in sorted(sizes))
            message = f"{name} {path}: {listed} bytes on different nodes"
            findings.append(Finding("failure", "inputs", message, "put one copy on storage that every node mounts"))
    from_all = " from every node" if len(reports) > 1 else ""
    return findings or [Finding("ok", "inputs", f"{len(names)} readable{from_all}")]


def check_stores(reports: Sequence[NodeReport], addresses: Sequence[str]) -> list[Finding]:
    """Whether every node can do all that verbs do with a folder in a store; a finding for each operation.

    Args:
        reports: of all nodes.
        addresses: as they are shown.
    """
    findings = []
    for address in addresses:
        operations = [(report, one) for report in reports for one in report.facts.rehearsed.get(address, [])]
        for name in dict.fromkeys(one.name for _, one in operations):
            problems = [
                Finding(one.level, "storage", f"{address}: {name}: {one.problem}", one.fix, node_name(report, reports))
                for report, one in operations
                if one.name == name and one.level != "ok"
            ]
            findings += problems or [Finding("ok", "storage", f"{address}: {name}")]
    return findings


def check_outputs(reports: Sequence[NodeReport], directories: Sequence[str]) -> list[Finding]:
    """Whether every node writes to every output directory, and sees what the driver wrote there."""
    if not directories:
        return []
    findings = []
    for report in reports:
        node = node_name(report, reports)
        for directory, reason in report.facts.unwritten.items():
            fix = "correct its permissions, or choose another directory"
            findings.append(Finding("failure", "storage", f"{directory}: {reason}", fix, node))
        for directory in report.facts.unseen:
            message = f"{directory}: a file written by this command is not visible on that node"
            fix = "choose storage that all nodes share (NFS, Lustre, …)"
            findings.append(Finding("failure", "storage", message, fix, node))
    shared = ", and is shared by every node" if len(reports) > 1 else ""
    return findings or [Finding("ok", "storage", f"{', '.join(directories)}: can be written{shared}")]
