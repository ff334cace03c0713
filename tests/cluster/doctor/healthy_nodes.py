"""Reports of nodes that are well, for tests to change."""

from __future__ import annotations

from dataclasses import replace

from cluster.doctor.findings import Finding
from cluster.doctor.node_facts import Disk, NodeFacts
from cluster.doctor.node_report import NodeReport
from training.hardware.gpus import Build, Hardware

GIB = 1 << 30
CPU, CUDA = Build("cpu", "2.13.0+cpu"), Build("cuda", "2.13.0+cu126", 2)
HEALTHY = NodeFacts(
    host="node-1",
    python="3.11.7",
    ray="2.60.0",
    torch=CPU,
    torch_trouble="",
    bedtools="2.30.0",
    bedtools_trouble="",
    hardware=Hardware(),
    amdsmi=False,
    environment={},
    memory=64 * GIB,
    available=32 * GIB,
    shared=Disk("/dev/shm", 20 * GIB, 20 * GIB),
    disks=(Disk("/tmp", 100 * GIB, 50 * GIB),),
    governors=("schedutil (acpi-cpufreq)",),
    read={},
    unread={},
    unwritten={},
    unseen=(),
)


def nodes(*changes: dict[str, object], gpus: int = 0, skew: float = 0.0) -> list[NodeReport]:
    """A healthy node, and a further node for each set of changed facts."""
    changed = [
        NodeReport(f"10.0.0.{number}", replace(HEALTHY, **facts), gpus, skew)  # type: ignore[arg-type]
        for number, facts in enumerate(changes, 2)
    ]
    return [NodeReport("10.0.0.1", HEALTHY, 0), *changed]


def problems(findings: list[Finding]) -> list[tuple[str, str, str]]:
    """Level, node and message of each finding that is not ok."""
    return [(finding.level, finding.node, finding.message) for finding in findings if finding.level != "ok"]
