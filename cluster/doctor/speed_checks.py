"""Checks of clocks and CPU frequency on every node."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.doctor.findings import Finding
from cluster.doctor.node_report import NodeReport, findings_of, joined, node_name

WARNING_SKEW_S = 2.0
FAILURE_SKEW_S = 300.0
SLOW_GOVERNORS = ("powersave", "userspace", "conservative")
"""Governors that keep a CPU below its full frequency, or are slow to raise it."""
SELF_GOVERNED_DRIVERS = ("intel_pstate", "amd-pstate-epp")
"""Drivers that choose the frequency themselves under `powersave`; the passive `amd-pstate` obeys the governor."""


def check_clocks(reports: Sequence[NodeReport]) -> list[Finding]:
    """Clocks of a cluster's nodes compared with that of the driver, which may be on another machine."""
    if not reports or reports[0].gpus is None:
        return []

    def examine(report: NodeReport) -> Finding | None:
        if report.min_skew is None or report.min_skew <= WARNING_SKEW_S:
            return None
        return Finding(
            "failure" if report.min_skew > FAILURE_SKEW_S else "warning",
            "clock",
            f"off by {report.min_skew:,.0f} s or more",
            "run an NTP service on every node (chrony, systemd-timesyncd)",
            report.name,
        )

    bounds = [report.max_skew for report in reports if report.max_skew is not None]
    answered = [report for report in reports if report.max_skew is not None]
    silent = ", ".join(report.name for report in reports if report.max_skew is None)
    findings = []
    if bounds:
        findings += findings_of(answered, "clock", f"within {max(*bounds, 0.01):.2f} s of this machine's", examine)
    if silent:
        findings.append(Finding("ok", "clock", f"not reported in time by {silent}"))
    return findings


def check_cpu_frequency(reports: Sequence[NodeReport]) -> list[Finding]:
    """CPU frequency governors that keep a CPU below its full frequency."""

    def examine(report: NodeReport) -> Finding | None:
        slow = [name for name in report.facts.governors if _is_slow(name)]
        if not slow:
            return None
        return Finding(
            "warning",
            "CPU frequency",
            f"governor {', '.join(slow)}",
            "set it to performance or schedutil (cpupower frequency-set -g performance)",
            node_name(report, reports),
        )

    governors = joined(name for report in reports for name in report.facts.governors)
    return findings_of(reports, "CPU frequency", governors or "not reported by this machine", examine)


def _is_slow(name: str) -> bool:
    """Whether a governor, written with its driver as in `powersave (acpi-cpufreq)`, keeps a CPU slow."""
    governor, _, driver = name.partition(" ")
    return governor in SLOW_GOVERNORS and not (governor == "powersave" and driver.strip("()") in SELF_GOVERNED_DRIVERS)
