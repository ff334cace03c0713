"""Checks of memory, shared memory and disk space on every node."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.doctor.findings import Finding
from cluster.doctor.node_facts import Disk
from cluster.doctor.node_report import NodeReport, findings_of, node_name, or_more
from pipelines.display import format_size

MIN_MEMORY = 2 << 30
MIN_SHARED_MEMORY = 1 << 30
MIN_DISK = 10 << 30
RAY_DISK_LIMIT = 0.95
"""Share of a disk in use from which Ray writes no more objects to it, however many bytes are free."""
NOT_REPORTED = "not reported by this machine"


def check_memory(reports: Sequence[NodeReport]) -> list[Finding]:
    """Memory, and the shared memory in which Ray keeps objects."""

    def examine_memory(report: NodeReport) -> Finding | None:
        facts = report.facts
        if not facts.memory or facts.available >= MIN_MEMORY:
            return None
        return Finding(
            "warning",
            "memory",
            f"{format_size(facts.available)} of {format_size(facts.memory)} free",
            "end other processes on that machine, or use fewer workers",
            node_name(report, reports),
        )

    def examine_shared_memory(report: NodeReport) -> Finding | None:
        shared, memory = report.facts.shared, report.facts.memory
        if shared is None or shared.size >= MIN_SHARED_MEMORY:
            return None
        # Ray's default for its object store is 30 % of the memory.
        third = f"{max(memory // 3 >> 30, 1)}g, a third of its memory" if memory else "8g or more"
        return Finding(
            "warning",
            "shared memory",
            f"{format_size(shared.size)} in /dev/shm; Ray writes what exceeds it to disk",
            f"start the container with --shm-size={third}",
            node_name(report, reports),
        )

    facts = [report.facts for report in reports if report.facts.memory]
    lowest = min(facts, key=lambda facts: facts.available, default=None)
    smallest = min((report.facts.shared.size for report in reports if report.facts.shared), default=None)
    memory = (
        f"{format_size(lowest.available)} of {format_size(lowest.memory)} free{or_more(reports)}"
        if lowest
        else NOT_REPORTED
    )
    shared = NOT_REPORTED if smallest is None else f"{format_size(smallest)}{or_more(reports)}"
    return [
        *findings_of(reports, "memory", memory, examine_memory),
        *findings_of(reports, "shared memory", shared, examine_shared_memory),
    ]


def check_disks(reports: Sequence[NodeReport]) -> list[Finding]:
    """Disks of the cache and of Ray's temporary files: the share in use, and the bytes that are free."""
    findings = [
        finding
        for report in reports
        for disk in report.facts.disks
        if (finding := _check_disk(disk, node_name(report, reports))) is not None
    ]
    if findings:
        return findings
    free = min((disk.free for report in reports for disk in report.facts.disks), default=None)
    return [Finding("ok", "disk", NOT_REPORTED if free is None else f"{format_size(free)} free{or_more(reports)}")]


def _check_disk(disk: Disk, node: str) -> Finding | None:
    message = f"{format_size(disk.free)} of {format_size(disk.size)} free at {disk.path}"
    above_limit, small = disk.free < (1 - RAY_DISK_LIMIT) * disk.size, disk.free < MIN_DISK
    if above_limit and small:
        fix = "free space: from 95 % on Ray ends tasks whose objects do not fit into memory"
        return Finding("failure", "disk", message, fix, node)
    if above_limit:
        fix = (
            "from 95 % on Ray writes no objects to disk that do not fit into memory: free space, or start it with "
            "RAY_local_fs_capacity_threshold=0.99"
        )
        return Finding("warning", "disk", message, fix, node)
    if small:
        return Finding(
            "warning", "disk", message, "free space, or set RAYGENE_CACHE and RAY_TMPDIR to a larger disk", node
        )
    return None
