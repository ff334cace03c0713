"""doctor's checks of local Rays: who can reach them, the folders of their runs, and who can read their token."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.doctor.findings import Finding
from cluster.doctor.node_report import NodeReport, node_name
from pipelines.display import format_size

_SHOWN = 6


def check_network(reports: Sequence[NodeReport]) -> list[Finding]:
    """Which ports of Ray other machines can reach, and whether they need the token for it."""
    findings = []
    for report in reports:
        ports = report.facts.open_ports
        if not ports:
            continue
        shown = ", ".join(f"{port.process} {port.port}" for port in ports[:_SHOWN])
        rest = f" and {len(ports) - _SHOWN} more" if len(ports) > _SHOWN else ""
        noun = "port" if len(ports) == 1 else "ports"
        message = f"{len(ports)} {noun} of Ray can be reached from other machines: {shown}{rest}"
        node = node_name(report, reports)
        if all(port.wants_token for port in ports):
            findings.append(Finding("ok", "network", f"{message}; they want its token", node=node))
        else:
            fix = "start Ray with RAY_AUTH_MODE=token, or keep its ports behind a firewall"
            findings.append(Finding("warning", "network", f"{message}; they want no token", fix, node))
    return findings or [Finding("ok", "network", "no port of Ray can be reached from other machines")]


def check_runs(reports: Sequence[NodeReport]) -> list[Finding]:
    """The folders of local Rays: how many there are, of what size, and which the next start removes."""
    findings = []
    for report in reports:
        living = [run for run in report.facts.runs if run.lives]
        ended = [run for run in report.facts.runs if not run.lives]
        parts = [f"{len(living)} in use ({format_size(sum(run.size for run in living))})"] if living else []
        if ended:
            size = format_size(sum(run.size for run in ended))
            parts.append(f"{len(ended)} of ended runs ({size}), which the next start removes")
        if parts:
            findings.append(Finding("ok", "Ray's folders", ", ".join(parts), node=node_name(report, reports)))
    return findings or [Finding("ok", "Ray's folders", "none are left")]


def check_token(reports: Sequence[NodeReport]) -> list[Finding]:
    """Whether only its user can read the file with Ray's token."""
    return [
        Finding(
            "warning",
            "Ray's token",
            f"other users can read its file (mode {report.facts.token_readers})",
            "chmod 600 ~/.ray/auth_token, or the file that RAY_AUTH_TOKEN_PATH names",
            node_name(report, reports),
        )
        for report in reports
        if report.facts.token_readers
    ]
